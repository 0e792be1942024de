/* What the tokens of a call cost: rules R1, R2, R5, R7 and D1 to D6 of
 * docs/PRICING.md. */
#include "pricing/cost.h"

/* A class's rate in half femto-USD. A batch takes half of a rate that is not
 * of the batch tier. */
static llmlab__u128_t
rate_of(const llmlab__rates_t *rates, unsigned rate_class)
{
    llmlab__u128_t amount = rates->amount[rate_class];
    bool halved = rates->batch && (rates->rank[rate_class] & 1) == 0;

    return halved ? amount : amount * LLMLAB__TOKEN_SCALE;
}

/* Charge a class at its own rate or at the first of others that has one. */
static void
charge(llmlab__bill_t *bill, llmlab_cost_part_t part, uint64_t count,
       unsigned own, unsigned other, unsigned last)
{
    const llmlab__rates_t *rates = bill->rates;
    unsigned rate_class = llmlab__rates_has(rates, own)     ? own
                          : llmlab__rates_has(rates, other) ? other
                                                            : last;

    if (count == 0) {
        return;
    }
    if (llmlab__rates_has(rates, rate_class)) {
        llmlab__bill_add(bill, part, count, rate_of(rates, rate_class));
    } else if (!bill->billed_otherwise) {
        bill->missing = true;
    }
}

/* As charge; a rate that is not the class's own is an estimate. */
static void
charge_estimated(llmlab__bill_t *bill, uint64_t count, unsigned own,
                 unsigned other, unsigned last)
{
    if (count > 0 && !llmlab__rates_has(bill->rates, own) &&
        !bill->billed_otherwise) {
        bill->estimated = true;
    }
    charge(bill, LLMLAB_COST_INPUT, count, own, other, last);
}

/* Disjoint counts of an input's classes. */
typedef struct input_s {
    uint64_t text;
    uint64_t read;
    uint64_t read_media[3]; /* audio, image, video within the cache */
    uint64_t write;
    uint64_t write_1h;
    uint64_t media[3];
} input_t;

static uint64_t
less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t
sum_or_overflow(llmlab__bill_t *bill, uint64_t a, uint64_t b)
{
    uint64_t sum;

    if (__builtin_add_overflow(a, b, &sum)) {
        bill->overflow = true;
        return UINT64_MAX;
    }
    return sum;
}

/* Cached media is told apart only by few providers. It is part of the cache
 * reads, and no part of input_audio_tokens and the like. */
static void
split_cached_media(llmlab__bill_t *bill, input_t *input)
{
    static const llmlab_usage_field_t fields[3] = {
        LLMLAB_USAGE_CACHE_READ_AUDIO_TOKENS,
        LLMLAB_USAGE_CACHE_READ_IMAGE_TOKENS,
        LLMLAB_USAGE_CACHE_READ_VIDEO_TOKENS,
    };
    size_t i;

    for (i = 0; i < 3; i++) {
        uint64_t count = llmlab__bill_count(bill, fields[i]);

        if (count > input->read) {
            count = input->read;
            bill->clamped = true;
        }
        input->read -= count;
        input->read_media[i] = count;
    }
}

static void
split_input(llmlab__bill_t *bill, input_t *input)
{
    uint64_t total = llmlab__bill_count(bill, LLMLAB_USAGE_INPUT_TOKENS);
    uint64_t cached;
    uint64_t media;
    uint64_t budget;
    size_t i;

    input->read = llmlab__bill_count(bill, LLMLAB_USAGE_CACHE_READ_TOKENS);
    input->write = llmlab__bill_count(bill, LLMLAB_USAGE_CACHE_WRITE_TOKENS);
    input->write_1h = 0;
    if (llmlab__bill_states(bill, LLMLAB_USAGE_CACHE_WRITE_5M_TOKENS) ||
        llmlab__bill_states(bill, LLMLAB_USAGE_CACHE_WRITE_1H_TOKENS)) {
        input->write =
            llmlab__bill_count(bill, LLMLAB_USAGE_CACHE_WRITE_5M_TOKENS);
        input->write_1h =
            llmlab__bill_count(bill, LLMLAB_USAGE_CACHE_WRITE_1H_TOKENS);
    }
    input->media[0] = llmlab__bill_count(bill, LLMLAB_USAGE_INPUT_AUDIO_TOKENS);
    input->media[1] = llmlab__bill_count(bill, LLMLAB_USAGE_INPUT_IMAGE_TOKENS);
    input->media[2] = llmlab__bill_count(bill, LLMLAB_USAGE_INPUT_VIDEO_TOKENS);
    cached =
        sum_or_overflow(bill, input->read,
                        sum_or_overflow(bill, input->write, input->write_1h));
    split_cached_media(bill, input);
    media = sum_or_overflow(
        bill, input->media[0],
        sum_or_overflow(bill, input->media[1], input->media[2]));
    budget = less(total, cached);
    if (cached > total || media > budget) {
        bill->clamped = true;
    }
    if (cached > 0 && media > budget) {
        /* The cache holds some of the media: what is left of the input is
         * audio first, then image, then video. */
        for (i = 0; i < 3; i++) {
            if (input->media[i] > budget) {
                input->media[i] = budget;
            }
            budget -= input->media[i];
        }
        input->text = budget;
        return;
    }
    input->text = less(budget, media);
}

static void
bill_input(llmlab__bill_t *bill)
{
    input_t input;

    split_input(bill, &input);
    charge(bill, LLMLAB_COST_INPUT, input.text, LLMLAB__INPUT, LLMLAB__INPUT,
           LLMLAB__INPUT);
    charge_estimated(bill, input.read, LLMLAB__CACHE_READ, LLMLAB__INPUT,
                     LLMLAB__INPUT);
    charge_estimated(bill, input.write, LLMLAB__CACHE_WRITE, LLMLAB__INPUT,
                     LLMLAB__INPUT);
    charge_estimated(bill, input.write_1h, LLMLAB__CACHE_WRITE_1H,
                     LLMLAB__CACHE_WRITE, LLMLAB__INPUT);
    charge(bill, LLMLAB_COST_INPUT, input.read_media[0],
           LLMLAB__CACHE_READ_AUDIO, LLMLAB__CACHE_READ, LLMLAB__INPUT);
    charge(bill, LLMLAB_COST_INPUT, input.read_media[1],
           LLMLAB__CACHE_READ_IMAGE, LLMLAB__CACHE_READ, LLMLAB__INPUT);
    charge(bill, LLMLAB_COST_INPUT, input.read_media[2],
           LLMLAB__CACHE_READ_VIDEO, LLMLAB__CACHE_READ, LLMLAB__INPUT);
    charge_estimated(bill, input.media[0], LLMLAB__INPUT_AUDIO, LLMLAB__INPUT,
                     LLMLAB__INPUT);
    charge(bill, LLMLAB_COST_INPUT, input.media[1], LLMLAB__INPUT_IMAGE,
           LLMLAB__INPUT, LLMLAB__INPUT);
    charge(bill, LLMLAB_COST_INPUT, input.media[2], LLMLAB__INPUT_VIDEO,
           LLMLAB__INPUT, LLMLAB__INPUT);
    /* Most providers do not charge citations: no rate is no fault. */
    if (llmlab__rates_has(bill->rates, LLMLAB__CITATION)) {
        charge(bill, LLMLAB_COST_INPUT,
               llmlab__bill_count(bill, LLMLAB_USAGE_CITATION_TOKENS),
               LLMLAB__CITATION, LLMLAB__CITATION, LLMLAB__CITATION);
    }
}

/* Reasoning has its own rate unless that of output is more specific: a tier's
 * output rate is reasoning's, too. */
static unsigned
reasoning_class(const llmlab__rates_t *rates)
{
    bool own = llmlab__rates_has(rates, LLMLAB__REASONING) &&
               (!llmlab__rates_has(rates, LLMLAB__OUTPUT) ||
                rates->rank[LLMLAB__REASONING] >= rates->rank[LLMLAB__OUTPUT]);

    return own ? LLMLAB__REASONING : LLMLAB__OUTPUT;
}

static void
bill_output(llmlab__bill_t *bill)
{
    uint64_t total = llmlab__bill_count(bill, LLMLAB_USAGE_OUTPUT_TOKENS);
    uint64_t reasoning =
        llmlab__bill_count(bill, LLMLAB_USAGE_REASONING_TOKENS);
    uint64_t audio = llmlab__bill_count(bill, LLMLAB_USAGE_OUTPUT_AUDIO_TOKENS);
    uint64_t image = llmlab__bill_count(bill, LLMLAB_USAGE_OUTPUT_IMAGE_TOKENS);
    uint64_t video = llmlab__bill_count(bill, LLMLAB_USAGE_OUTPUT_VIDEO_TOKENS);
    uint64_t parts =
        sum_or_overflow(bill, sum_or_overflow(bill, reasoning, audio),
                        sum_or_overflow(bill, image, video));
    unsigned thought = reasoning_class(bill->rates);

    if (parts > total) {
        bill->clamped = true;
    }
    charge(bill, LLMLAB_COST_OUTPUT, less(total, parts), LLMLAB__OUTPUT,
           LLMLAB__OUTPUT, LLMLAB__OUTPUT);
    charge(bill, LLMLAB_COST_OUTPUT, reasoning, thought, thought, thought);
    charge(bill, LLMLAB_COST_OUTPUT, audio, LLMLAB__OUTPUT_AUDIO,
           LLMLAB__OUTPUT, LLMLAB__OUTPUT);
    charge(bill, LLMLAB_COST_OUTPUT, image, LLMLAB__OUTPUT_IMAGE,
           LLMLAB__OUTPUT, LLMLAB__OUTPUT);
    charge(bill, LLMLAB_COST_OUTPUT, video, LLMLAB__OUTPUT_VIDEO,
           LLMLAB__OUTPUT, LLMLAB__OUTPUT);
}

#define BIT(field) (UINT64_C(1) << LLMLAB_USAGE_##field)

void
llmlab__bill_tokens(llmlab__bill_t *bill)
{
    const uint64_t input =
        BIT(INPUT_TOKENS) | BIT(CACHE_READ_TOKENS) | BIT(CACHE_WRITE_TOKENS) |
        BIT(CACHE_WRITE_5M_TOKENS) | BIT(CACHE_WRITE_1H_TOKENS) |
        BIT(INPUT_AUDIO_TOKENS) | BIT(INPUT_IMAGE_TOKENS) |
        BIT(INPUT_VIDEO_TOKENS) | BIT(CITATION_TOKENS);
    const uint64_t output = BIT(OUTPUT_TOKENS) | BIT(REASONING_TOKENS) |
                            BIT(OUTPUT_AUDIO_TOKENS) |
                            BIT(OUTPUT_IMAGE_TOKENS) | BIT(OUTPUT_VIDEO_TOKENS);

    if ((bill->usage->present & input) != 0) {
        bill->parts |= 1u << LLMLAB_COST_INPUT;
        bill_input(bill);
    }
    if ((bill->usage->present & output) != 0) {
        bill->parts |= 1u << LLMLAB_COST_OUTPUT;
        bill_output(bill);
    }
}
