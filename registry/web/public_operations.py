"""The public part: read only, for everybody, without persons."""

from __future__ import annotations

from registry.web.operations import PUBLIC, Operation, Param, paging

_REGISTRY, _SEARCH = "yrd.registry.v1.RegistryService", "yrd.registry.v1.SearchService"
_CATALOGUE, _ADMISSION = "yrd.registry.v1.CatalogueService", "yrd.registry.v1.AdmissionService"

_ENTRY_KINDS = ("ENTRY_KIND_SERVICE", "ENTRY_KIND_INSTRUMENT", "ENTRY_KIND_LITERATURE", "ENTRY_KIND_DATA")
_HIT_KINDS = ("HIT_KIND_SERVICE", "HIT_KIND_INSTRUMENT", "HIT_KIND_LITERATURE", "HIT_KIND_DATA", "HIT_KIND_PROVIDER")


def search_parameters(kinds: tuple[str, ...] = ()) -> tuple[Param, ...]:
    """Return the parameters of a search that finds hits of these kinds, of any where none are named."""
    return (
        Param("q", "query", "query"),
        Param("division", "filter.division", "division"),
        Param("category", "filter.category", "enum"),
        Param("kind", "filter.kind", "enum", only=kinds),
        Param("price_from_fen", "filter.price_from_fen", "fen"),
        Param("price_to_fen", "filter.price_to_fen", "fen"),
        Param("min_rating", "filter.min_rating", "rating"),
        Param("recognized", "filter.recognized", "flag"),
        Param("within_km", "filter.within_km", "km"),
        Param("issuer", "issuer", "division"),
        Param("near", "near", "division"),
        Param("facets", "facets", "flag"),
        *paging(),
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="search",
        http="GET",
        path=f"{PUBLIC}/search",
        rpc=f"{_SEARCH}.Search",
        tag="pool",
        zh="检索服务项目、仪器、文献、数据与机构,含分面与纠错",
        en="Search services, instruments, literature, data and providers, with facets and corrected typing",
        params=search_parameters(_HIT_KINDS),
    ),
    Operation(
        name="suggest",
        http="GET",
        path=f"{PUBLIC}/suggestions",
        rpc=f"{_SEARCH}.Search",
        tag="pool",
        zh="输入时的建议词,至多十条",
        en="Suggestions while one types, at most ten names",
        params=(Param("q", "query", "query", required=True), Param("division", "filter.division", "division")),
        shape="Suggestions",
    ),
    Operation(
        name="list_providers",
        http="GET",
        path=f"{PUBLIC}/providers",
        rpc=f"{_REGISTRY}.ListProviders",
        tag="pool",
        zh="列出入库服务机构",
        en="List the providers of the pool",
        params=(Param("home", "home", "division"), Param("as_of", "as_of", "date"), *paging()),
    ),
    Operation(
        name="get_provider",
        http="GET",
        path=f"{PUBLIC}/providers/{{uscc}}",
        rpc=f"{_REGISTRY}.GetProvider",
        tag="pool",
        zh="查看一家服务机构",
        en="Read one provider",
        params=(Param("uscc", "uscc", "uscc", "path", required=True), Param("as_of", "as_of", "date")),
        answer="provider",
        codes=("PROVIDER_NOT_FOUND",),
    ),
    Operation(
        name="list_quality_providers",
        http="GET",
        path=f"{PUBLIC}/quality-providers",
        rpc="yrd.registry.v1.QualityService.ListQualityProviders",
        tag="pool",
        zh="优质服务机构库",
        en="The list of quality providers",
        params=(Param("home", "home", "division"), Param("on", "on", "date"), *paging()),
    ),
    Operation(
        name="list_entries",
        http="GET",
        path=f"{PUBLIC}/entries",
        rpc=f"{_CATALOGUE}.ListEntries",
        tag="pool",
        zh="列出在用的目录条目(不含专家)",
        en="List catalogue entries in force, experts excepted",
        params=(
            Param("provider", "provider", "uscc"),
            Param("division", "division", "division"),
            Param("kind", "kind", "enum", only=_ENTRY_KINDS),
            *paging(),
        ),
    ),
    Operation(
        name="get_entry",
        http="GET",
        path=f"{PUBLIC}/entries/{{entry_id}}",
        rpc=f"{_CATALOGUE}.GetEntry",
        tag="pool",
        zh="查看一个目录条目(不含专家)",
        en="Read one catalogue entry, experts excepted",
        params=(Param("entry_id", "entry_id", "entry_id", "path", required=True),),
        answer="entry",
        etag="etag",
        codes=("ENTRY_NOT_FOUND",),
    ),
    Operation(
        name="list_notices",
        http="GET",
        path=f"{PUBLIC}/notices",
        rpc=f"{_ADMISSION}.ListPublicNotices",
        tag="admission",
        zh="公示中的入库申请;提出异议须验证身份",
        en="Applications under public notice; to object takes an identity",
        params=(Param("home", "home", "division"), *paging()),
    ),
    Operation(
        name="get_criteria",
        http="GET",
        path=f"{PUBLIC}/criteria/{{division}}",
        rpc=f"{_ADMISSION}.GetAdmissionCriteria",
        tag="admission",
        zh="一省的入库标准",
        en="A province's criteria of admission",
        params=(
            Param("division", "division", "division", "path", required=True),
            Param("version", "version", "version"),
            Param("on_date", "on_date", "date"),
        ),
        answer="criteria",
        codes=("CRITERIA_NOT_FOUND",),
    ),
    Operation(
        name="get_coverage",
        http="GET",
        path=f"{PUBLIC}/coverage",
        rpc="yrd.registry.v1.RecognitionService.GetCoverageMatrix",
        tag="recognition",
        zh="互认覆盖矩阵:各发券地认可各省多少机构",
        en="The matrix of coverage: how many providers of each province each issuer recognises",
        params=(Param("day", "day", "date"),),
    ),
)
