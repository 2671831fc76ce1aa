package example;

import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Access tokens by private_key_jwt (RFC 7523), kept until half a minute before they expire. Plain JDK 17. */
final class Tokens {
  private static final Base64.Encoder URL = Base64.getUrlEncoder().withoutPadding();
  private static final Pattern TOKEN = Pattern.compile("\"access_token\"\\s*:\\s*\"([^\"]+)\"");
  private static final Pattern LIFE = Pattern.compile("\"expires_in\"\\s*:\\s*(\\d+)");

  private final String issuer;
  private final PrivateKey key;
  private final List<X509Certificate> chain;
  private final HttpClient http;
  private String token;
  private Instant renewAt = Instant.EPOCH;

  Tokens(Path identity, String issuer) throws Exception {
    this.issuer = issuer;
    this.chain = certificates(identity.resolve("cert.pem"));
    String pem = Files.readString(identity.resolve("key.pem")).replaceAll("-----[A-Z ]+-----|\\s", "");
    this.key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
    this.http = HttpClient.newBuilder().sslContext(trusting(certificates(identity.resolve("ca.pem")))).build();
  }

  /** A token that is good now. */
  synchronized String get() throws Exception {
    if (token == null || !Instant.now().isBefore(renewAt)) {
      String form = "grant_type=client_credentials"
          + "&client_assertion_type=" + encode("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
          + "&client_assertion=" + encode(assertion());
      HttpRequest request = HttpRequest.newBuilder(URI.create(issuer + "/oauth/token"))
          .header("Content-Type", "application/x-www-form-urlencoded")
          .POST(HttpRequest.BodyPublishers.ofString(form)).build();
      String body = http.send(request, HttpResponse.BodyHandlers.ofString()).body();
      Matcher found = TOKEN.matcher(body);
      if (!found.find()) throw new IllegalStateException("no token: " + body);
      token = found.group(1);
      Matcher life = LIFE.matcher(body);
      renewAt = Instant.now().plusSeconds(life.find() ? Long.parseLong(life.group(1)) - 30 : 0);
    }
    return token;
  }

  /** The assertion: signed with the certificate's own key; the chain travels as x5c; good once, for a minute. */
  private String assertion() throws Exception {
    X509Certificate leaf = chain.get(0);
    String client = leaf.getSubjectAlternativeNames().stream()
        .filter(name -> name.get(0).equals(6)).map(name -> (String) name.get(1)).findFirst().orElseThrow();
    StringBuilder x5c = new StringBuilder();
    for (X509Certificate certificate : chain) {
      x5c.append(x5c.isEmpty() ? "" : ",").append('"').append(Base64.getEncoder().encodeToString(certificate.getEncoded())).append('"');
    }
    long now = Instant.now().getEpochSecond();
    String header = "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"x5c\":[" + x5c + "]}";
    String claims = "{\"iss\":\"%1$s\",\"sub\":\"%1$s\",\"aud\":\"%2$s\",\"iat\":%3$d,\"exp\":%4$d,\"jti\":\"%5$s\"}"
        .formatted(client, issuer, now, now + 60, UUID.randomUUID());
    String signed = URL.encodeToString(header.getBytes(StandardCharsets.UTF_8)) + "." + URL.encodeToString(claims.getBytes(StandardCharsets.UTF_8));
    // The plain SHA256withECDSA would give DER; a JWT wants r and s, one after the other.
    Signature signature = Signature.getInstance("SHA256withECDSAinP1363Format");
    signature.initSign(key);
    signature.update(signed.getBytes(StandardCharsets.US_ASCII));
    return signed + "." + URL.encodeToString(signature.sign());
  }

  private static String encode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8);
  }

  private static List<X509Certificate> certificates(Path file) throws Exception {
    return CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(Files.readAllBytes(file)))
        .stream().map(X509Certificate.class::cast).collect(Collectors.toList());
  }

  private static SSLContext trusting(List<X509Certificate> authorities) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    for (int i = 0; i < authorities.size(); i++) store.setCertificateEntry("ca" + i, authorities.get(i));
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }
}
