/* What is counted in other units than tokens: rule R11, and D7 to D9. */
#include <strings.h>

#include "pricing/cost.h"

/* Charge a count at the first of three classes that has a rate above zero, or
 * at zero where one is zero; false where none has a rate. */
static bool
charge(llmlab__bill_t *bill, const llmlab__rates_t *rates,
       llmlab_cost_part_t part, uint64_t count, unsigned first, unsigned second,
       unsigned third)
{
    unsigned classes[3] = {first, second, third};
    bool found = false;
    size_t i;

    for (i = 0; i < 3 && rates != NULL; i++) {
        if (!llmlab__rates_has(rates, classes[i])) {
            continue;
        }
        found = true;
        /* A zero output-second rate must not hide the input-second rate. */
        if (rates->amount[classes[i]] != 0) {
            llmlab__bill_add(bill, part, count, rates->amount[classes[i]]);
            break;
        }
    }
    if (found) {
        bill->parts |= 1u << part;
    }
    return found;
}

/* What a provider charges beside the tokens: without a rate the cost is not
 * known. */
static void
charge_fee(llmlab__bill_t *bill, const llmlab__rates_t *tools,
           llmlab_cost_part_t part, llmlab_usage_field_t field,
           unsigned rate_class)
{
    uint64_t count = llmlab__bill_count(bill, field);

    if (count > 0 &&
        !charge(bill, bill->rates, part, count, rate_class, rate_class,
                rate_class) &&
        !charge(bill, tools, part, count, rate_class, rate_class, rate_class)) {
        bill->missing = true;
    }
}

/* What the tokens may already stand for: without a rate nothing is missing
 * where tokens were charged. */
static void
charge_measure(llmlab__bill_t *bill, llmlab_cost_part_t part,
               llmlab_usage_field_t field, unsigned first, unsigned second,
               unsigned third)
{
    const uint32_t tokens = 1u << LLMLAB_COST_INPUT | 1u << LLMLAB_COST_OUTPUT;
    uint64_t count = llmlab__bill_count(bill, field);

    if (count > 0 &&
        !charge(bill, bill->rates, part, count, first, second, third) &&
        (bill->parts & tokens) == 0) {
        bill->missing = true;
    }
}

static unsigned
search_class(const char *search_context)
{
    if (search_context != NULL && strcasecmp(search_context, "low") == 0) {
        return LLMLAB__PER_SEARCH_LOW;
    }
    if (search_context != NULL && strcasecmp(search_context, "high") == 0) {
        return LLMLAB__PER_SEARCH_HIGH;
    }
    return LLMLAB__PER_SEARCH_MEDIUM;
}

/* Some models are charged by the image that they make, which some replies
 * count as input. Image tokens are the same images again. */
static void
charge_images(llmlab__bill_t *bill)
{
    bool made = llmlab__bill_states(bill, LLMLAB_USAGE_OUTPUT_IMAGES);
    unsigned given = llmlab__rates_has(bill->rates, LLMLAB__PER_INPUT_IMAGE)
                         ? LLMLAB__PER_INPUT_IMAGE
                         : LLMLAB__PER_OUTPUT_IMAGE;

    if (llmlab__bill_count(bill, LLMLAB_USAGE_OUTPUT_IMAGE_TOKENS) == 0) {
        charge_measure(bill, LLMLAB_COST_IMAGES, LLMLAB_USAGE_OUTPUT_IMAGES,
                       LLMLAB__PER_OUTPUT_IMAGE, LLMLAB__PER_OUTPUT_IMAGE,
                       LLMLAB__PER_OUTPUT_IMAGE);
    }
    if (llmlab__bill_count(bill, LLMLAB_USAGE_INPUT_IMAGE_TOKENS) == 0 &&
        (given == LLMLAB__PER_INPUT_IMAGE || !made)) {
        charge_measure(bill, LLMLAB_COST_IMAGES, LLMLAB_USAGE_INPUT_IMAGES,
                       given, given, given);
    }
}

/* Audio tokens are the same seconds again. */
static void
charge_seconds(llmlab__bill_t *bill)
{
    if (llmlab__bill_count(bill, LLMLAB_USAGE_INPUT_AUDIO_TOKENS) == 0 &&
        llmlab__bill_count(bill, LLMLAB_USAGE_OUTPUT_AUDIO_TOKENS) == 0) {
        charge_measure(bill, LLMLAB_COST_AUDIO_SECONDS,
                       LLMLAB_USAGE_AUDIO_SECONDS, LLMLAB__PER_OUTPUT_SECOND,
                       LLMLAB__PER_INPUT_SECOND,
                       LLMLAB__PER_INPUT_AUDIO_SECOND);
    }
}

static void
charge_guardrails(llmlab__bill_t *bill)
{
    static const struct {
        llmlab_usage_field_t field;
        llmlab__rate_class_t rate_class;
    } policies[] = {
        {LLMLAB_USAGE_GUARDRAIL_UNITS, LLMLAB__PER_GUARDRAIL},
        {LLMLAB_USAGE_GUARDRAIL_CONTENT, LLMLAB__PER_GUARDRAIL_CONTENT},
        {LLMLAB_USAGE_GUARDRAIL_CONTENT_IMAGE, LLMLAB__PER_GUARDRAIL_IMAGE},
        {LLMLAB_USAGE_GUARDRAIL_TOPIC, LLMLAB__PER_GUARDRAIL_TOPIC},
        {LLMLAB_USAGE_GUARDRAIL_WORD, LLMLAB__PER_GUARDRAIL_WORD},
        {LLMLAB_USAGE_GUARDRAIL_SENSITIVE, LLMLAB__PER_GUARDRAIL_SENSITIVE},
        {LLMLAB_USAGE_GUARDRAIL_SENSITIVE_FREE, LLMLAB__PER_GUARDRAIL_FREE},
        {LLMLAB_USAGE_GUARDRAIL_GROUNDING, LLMLAB__PER_GUARDRAIL_GROUNDING},
        {LLMLAB_USAGE_GUARDRAIL_REASONING, LLMLAB__PER_GUARDRAIL_REASONING},
    };
    size_t i;

    for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        charge_fee(bill, NULL, LLMLAB_COST_GUARDRAILS, policies[i].field,
                   policies[i].rate_class);
    }
}

/* Most calls count nothing but tokens. */
static bool
counts_units(const llmlab_usage_t *usage)
{
    const uint64_t tokens =
        (UINT64_C(1) << (LLMLAB_USAGE_CITATION_TOKENS + 1)) - 1;

    _Static_assert(LLMLAB_USAGE_INPUT_TOKENS == 0,
                   "the token fields are the first");
    return (usage->present & ~tokens) != 0;
}

void
llmlab__bill_search(llmlab__bill_t *bill, const char *search_context)
{
    unsigned rate_class = search_class(search_context);

    if (!llmlab__bill_states(bill, LLMLAB_USAGE_WEB_SEARCH_REQUESTS)) {
        charge(bill, bill->rates, LLMLAB_COST_WEB_SEARCH, 1, rate_class,
               rate_class, rate_class);
    }
}

void
llmlab__bill_units(llmlab__bill_t *bill, const llmlab__rates_t *tools,
                   const char *search_context)
{
    if (!counts_units(bill->usage)) {
        return;
    }
    charge_fee(bill, tools, LLMLAB_COST_WEB_SEARCH,
               LLMLAB_USAGE_WEB_SEARCH_REQUESTS, search_class(search_context));
    charge_fee(bill, tools, LLMLAB_COST_CODE_INTERPRETER,
               LLMLAB_USAGE_CODE_INTERPRETER_SESSIONS,
               LLMLAB__PER_CODE_SESSION);
    charge_fee(bill, tools, LLMLAB_COST_FILE_SEARCH,
               LLMLAB_USAGE_FILE_SEARCH_CALLS, LLMLAB__PER_FILE_SEARCH);
    charge_fee(bill, NULL, LLMLAB_COST_QUERIES, LLMLAB_USAGE_QUERIES,
               LLMLAB__PER_QUERY);
    charge_fee(bill, NULL, LLMLAB_COST_CREDITS, LLMLAB_USAGE_CREDITS,
               LLMLAB__PER_CREDIT);
    charge_guardrails(bill);
    charge_measure(bill, LLMLAB_COST_REQUESTS, LLMLAB_USAGE_REQUESTS,
                   LLMLAB__PER_REQUEST, LLMLAB__PER_REQUEST,
                   LLMLAB__PER_REQUEST);
    charge_measure(bill, LLMLAB_COST_CHARACTERS, LLMLAB_USAGE_INPUT_CHARACTERS,
                   LLMLAB__PER_INPUT_CHARACTER, LLMLAB__PER_OUTPUT_CHARACTER,
                   LLMLAB__PER_OUTPUT_CHARACTER);
    charge_seconds(bill);
    charge_measure(bill, LLMLAB_COST_VIDEO_SECONDS,
                   LLMLAB_USAGE_OUTPUT_VIDEO_SECONDS,
                   LLMLAB__PER_OUTPUT_VIDEO_SECOND, LLMLAB__PER_OUTPUT_SECOND,
                   LLMLAB__PER_OUTPUT_SECOND);
    charge_images(bill);
    charge_measure(bill, LLMLAB_COST_PIXELS, LLMLAB_USAGE_IMAGE_PIXELS,
                   LLMLAB__PER_PIXEL, LLMLAB__PER_PIXEL, LLMLAB__PER_PIXEL);
    charge_measure(bill, LLMLAB_COST_PAGES, LLMLAB_USAGE_PAGES,
                   LLMLAB__PER_PAGE, LLMLAB__PER_PAGE, LLMLAB__PER_PAGE);
    charge_measure(bill, LLMLAB_COST_PAGES, LLMLAB_USAGE_ANNOTATED_PAGES,
                   LLMLAB__PER_ANNOTATED_PAGE, LLMLAB__PER_ANNOTATED_PAGE,
                   LLMLAB__PER_ANNOTATED_PAGE);
}
