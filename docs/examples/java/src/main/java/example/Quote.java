package example;

import com.google.gson.Gson;
import io.grpc.CallCredentials;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import yrd.clearing.v1.Clearing.AuthorizationInput;
import yrd.clearing.v1.Clearing.Order;
import yrd.clearing.v1.Clearing.OrderLine;
import yrd.clearing.v1.Clearing.QuoteRequest;
import yrd.clearing.v1.Clearing.QuoteResponse;
import yrd.clearing.v1.Clearing.VoidRequest;
import yrd.clearing.v1.ClearingServiceGrpc;
import yrd.common.v1.RefusalOuterClass.Refusal;
import yrd.common.v1.Types.Category;

/** Asks what a voucher would pay, then sends a command that is refused, to show how a refusal is read. */
public final class Quote {
  public static void main(String[] args) throws Exception {
    Path identity = Path.of(args[0]);
    String grpc = args.length > 1 ? args[1] : "localhost:8443";
    String web = args.length > 2 ? args[2] : "localhost:8080";
    Tokens tokens = new Tokens(identity, "https://" + web);
    Map<String, ?> serviceConfig = new Gson().fromJson(Files.readString(Path.of(args.length > 3 ? args[3] : "../service-config.json")), Map.class);
    ManagedChannel channel = Grpc.newChannelBuilder(grpc, TlsChannelCredentials.newBuilder()
            .keyManager(identity.resolve("cert.pem").toFile(), identity.resolve("key.pem").toFile())
            .trustManager(identity.resolve("ca.pem").toFile()).build())
        .defaultServiceConfig(serviceConfig).enableRetry()
        .keepAliveTime(30, TimeUnit.SECONDS)
        .build();
    try {
      var clearing = ClearingServiceGrpc.newBlockingStub(channel).withCallCredentials(bearer(tokens));
      QuoteResponse quote = clearing.withDeadlineAfter(10, TimeUnit.SECONDS).quote(QuoteRequest.newBuilder()
          .setInput(AuthorizationInput.newBuilder()
              .setIssuer("330522").setEnterprise("91330522MA2B12343A").setProvider("91310118MA1JTERT16")
              .setOrder(Order.newBuilder().setOrderNo("JAVA-1")
                  .addLines(OrderLine.newBuilder().setCategory(Category.CATEGORY_INSPECTION_TESTING).setAmountFen(800_000))))
          .build());
      System.out.println("subsidy " + quote.getBreakdown().getSubsidyFen() + " fen; objections " + quote.getRefusalsList());
      try {
        clearing.withDeadlineAfter(10, TimeUnit.SECONDS).void_(VoidRequest.newBuilder()
            .setRequestId(UUID.randomUUID().toString()).setRedemptionId(UUID.randomUUID().toString()).build());
      } catch (StatusRuntimeException refused) {
        report(refused);
      }
    } finally {
      channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
    }
  }

  /** The refusal in full is a detail of the status; the code in it is stable, the sentences may change. */
  private static void report(StatusRuntimeException error) throws Exception {
    for (var detail : StatusProto.fromThrowable(error).getDetailsList()) {
      if (detail.is(Refusal.class)) {
        Refusal refusal = detail.unpack(Refusal.class);
        System.out.println(refusal.getCode() + " " + refusal.getZh() + " | " + refusal.getEn() + " -> " + refusal.getRemedyEn());
      }
    }
  }

  private static CallCredentials bearer(Tokens tokens) {
    return new CallCredentials() {
      @Override
      public void applyRequestMetadata(RequestInfo info, Executor executor, MetadataApplier applier) {
        executor.execute(() -> {
          try {
            Metadata headers = new Metadata();
            headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + tokens.get());
            applier.apply(headers);
          } catch (Exception error) {
            applier.fail(Status.UNAVAILABLE.withCause(error));
          }
        });
      }
    };
  }
}
