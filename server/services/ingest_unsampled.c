#include "services/ingest_record.h"
#include "store/usage_sums.h"

static const llmlab__field_row_t unsampled_fields[] = {
    LLMLAB__FIELD("n", PAIRS, true),
    LLMLAB__FIELD("start", START, true),
    LLMLAB__FIELD("type", TYPE, true),
    LLMLAB__FIELD("status", STATUS, true),
    LLMLAB__FIELD("agent", AGENT, false),
    LLMLAB__FIELD("user", USER, false),
    LLMLAB__FIELD("session", SESSION, false),
    LLMLAB__FIELD("tags", TAGS, false),
    LLMLAB__FIELD("provider", PROVIDER, false),
    LLMLAB__FIELD("api", STRING, false),
    LLMLAB__FIELD("request_model", STRING, false),
    LLMLAB__FIELD("model", MODEL, false),
    LLMLAB__FIELD("service_tier", STRING, false),
    LLMLAB__FIELD("region", STRING, false),
    LLMLAB__FIELD("speed", STRING, false),
    LLMLAB__FIELD("search_context", STRING, false),
    LLMLAB__FIELD("batch", BOOL, false),
    LLMLAB__FIELD("error_type", STRING, false),
    LLMLAB__FIELD("calls", CALLS, true),
    LLMLAB__FIELD("latency_ms", LATENCY, false),
    LLMLAB__FIELD("usage", USAGE, false),
    LLMLAB__FIELD("cost", COST, false),
    LLMLAB__FIELD("provider_cost", PROVIDER_COST, false),
    LLMLAB__FIELD("cost_detail", COST_DETAIL, false),
};
#define UNSAMPLED_FIELDS \
    (sizeof(unsampled_fields) / sizeof(unsampled_fields[0]))

/* What each of a row's calls adds, the row says as a sum. Only the client
 * could price them one by one: a price may depend on a single call's size. */
static void
unsampled_sums(llmlab__record_state_t *record)
{
    llmlab__row_t *row = &record->row;
    llmlab__step_facts_t *facts = &record->facts;
    int64_t *of = row->sums.of;
    int64_t calls = (int64_t)record->calls;
    bool by_provider =
        facts->has_provider_cost &&
        !(facts->has_cost_source && facts->cost_source == LLMLAB_COST_COMPUTED);

    of[LLMLAB__SUM_SPANS] = calls;
    of[LLMLAB__SUM_DURATION_NS] = row->duration_ns;
    if (!llmlab__record_is_call(record)) {
        return;
    }
    llmlab__usage_sums(&facts->usage, &row->sums);
    of[LLMLAB__SUM_CALLS] = calls;
    of[LLMLAB__SUM_COST_NANO] =
        by_provider ? facts->provider_nano : facts->client_nano;
    of[LLMLAB__SUM_COST_REST] =
        by_provider ? facts->provider_rest : facts->client_rest;
    of[LLMLAB__SUM_CLIENT_NANO] = facts->client_nano;
    of[LLMLAB__SUM_CLIENT_REST] = facts->client_rest;
    if (!by_provider && !facts->has_client_cost) {
        of[LLMLAB__SUM_UNPRICED] = calls;
    }
}

/* Each number that the row stands for, unless the row makes no sense. */
static void
numbers_reject(llmlab__record_state_t *record, uint64_t numbers)
{
    const llmlab__row_t *row = &record->row;

    if (numbers == 0 || numbers > record->ingest->limits->max_items) {
        llmlab__record_reject(record);
        return;
    }
    for (size_t i = 0; i < row->pair_count; i++) {
        for (uint64_t n = row->pairs[2 * i]; n <= row->pairs[2 * i + 1]; n++) {
            record->row.number = n;
            llmlab__record_reject(record);
        }
    }
}

void
llmlab__ingest_unsampled(llmlab__ingest_t *ingest)
{
    llmlab__record_state_t record;
    llmlab__row_t *row;
    uint64_t numbers = 0;

    llmlab__record_init(&record, ingest);
    llmlab__record_read(&record, unsampled_fields, UNSAMPLED_FIELDS);
    for (size_t i = 0; i < record.row.pair_count; i++) {
        numbers += record.row.pairs[2 * i + 1] - record.row.pairs[2 * i] + 1;
    }
    if (record.bad == NULL && numbers != record.calls) {
        llmlab__record_fault(&record, "calls", "conflict");
    }
    unsampled_sums(&record);
    row = llmlab__batch_add_unsampled(ingest->batch);
    if (row == NULL) {
        ingest->failed = true;
        return;
    }
    *row = record.row;
    if (record.bad != NULL) {
        row->verdict = LLMLAB__ROW_REJECTED;
        numbers_reject(&record, numbers);
    }
}
