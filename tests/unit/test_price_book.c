/* The user's own prices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <llmlab/pricing.h>

static llmlab_price_book_t *
parse(const char *json)
{
    llmlab_price_book_t *book = NULL;
    llmlab_status_t status = llmlab_price_book_parse(&book, json, strlen(json));

    if (status != LLMLAB_OK) {
        print_message("%s\n", llmlab_status_detail());
    }
    assert_int_equal(status, LLMLAB_OK);
    return book;
}

/* The cost of a thousand input tokens and a hundred of output. */
static llmlab_cost_t
price_at(const llmlab_price_book_t *book, const char *provider,
         const char *model, int64_t time_s, const char *expected)
{
    llmlab_call_facts_t facts;
    llmlab_usage_t usage;
    llmlab_cost_t cost;
    char text[LLMLAB_MONEY_TEXT];

    llmlab_usage_init(&usage);
    llmlab_usage_set(&usage, LLMLAB_USAGE_INPUT_TOKENS, 1000);
    llmlab_usage_set(&usage, LLMLAB_USAGE_OUTPUT_TOKENS, 100);
    llmlab_call_facts_init(&facts);
    facts.provider = provider;
    facts.model = model;
    facts.usage = &usage;
    facts.time_ns = time_s * INT64_C(1000000000);
    if (expected == NULL) {
        assert_int_equal(llmlab_cost_compute(&cost, book, &facts),
                         LLMLAB_EUNPRICED);
        assert_int_equal(cost.priced, LLMLAB_UNPRICED);
        return cost;
    }
    assert_int_equal(llmlab_cost_compute(&cost, book, &facts), LLMLAB_OK);
    llmlab_money_format(cost.amount, text);
    assert_string_equal(text, expected);
    return cost;
}

static llmlab_cost_t
price(const llmlab_price_book_t *book, const char *provider, const char *model,
      const char *expected)
{
    return price_at(book, provider, model, 0, expected);
}

static void
test_own_prices_hide_the_built_in_ones(void **state)
{
    llmlab_price_book_t *book =
        parse("{\"llmlab_prices\":1,\"version\":\"2026-11-01\",\"models\":{"
              "\"gpt-4o\":{\"provider\":\"openai\","
              "\"rates\":{\"input\":\"1\",\"output\":\"2\"}}}}");
    llmlab_cost_t cost;

    (void)state;
    cost = price(book, "openai", "gpt-4o", "0.0012");
    assert_string_equal(cost.table, "2026-11-01");
    assert_true((cost.flags & LLMLAB_COST_FLAG_CUSTOM) != 0);
    cost = price(NULL, "openai", "gpt-4o", "0.0035");
    assert_string_equal(cost.table, llmlab_pricing_version());
    assert_int_equal(cost.flags & LLMLAB_COST_FLAG_CUSTOM, 0);
    price(book, "openai", "gpt-4o-mini", "0.00021");
    llmlab_price_book_destroy(book);
}

static void
test_takes_litellms_form(void **state)
{
    llmlab_price_book_t *book = parse(
        "{\"sample_spec\":{\"input_cost_per_token\":\"a word\"},"
        "\"mine\":{\"litellm_provider\":\"acme\",\"mode\":\"chat\","
        "\"input_cost_per_token\":1e-06,\"output_cost_per_token\":\"2e-6\","
        "\"input_cost_per_token_above_128k_tokens\":null,"
        "\"max_tokens\":128000,\"supports_vision\":true}}");
    llmlab_cost_t cost = price(book, "acme", "mine", "0.0012");

    (void)state;
    assert_string_equal(cost.table, "custom");
    price(book, "ACME", "mine", "0.0012");
    price(book, "other", "mine", NULL);
    price(book, "", "mine", "0.0012");
    price(book, "acme", "acme/mine", NULL);
    llmlab_price_book_destroy(book);
}

static void
test_aliases_and_discounts(void **state)
{
    llmlab_price_book_t *book =
        parse("{\"llmlab_prices\":1,"
              "\"aliases\":{\"azure/prod\":\"azure/gpt-4o\","
              "\"house\":\"gpt-4o\"},"
              "\"discounts\":[{\"percent\":\"50\"},"
              "{\"provider\":\"openai\",\"percent\":20},"
              "{\"model\":\"gpt-4o\",\"percent\":\"12.5\"}]}");
    const char *key;

    (void)state;
    assert_int_equal(llmlab_pricing_resolve(book, "azure", "prod", &key),
                     LLMLAB_MATCH_NORMALIZED);
    assert_string_equal(key, "azure/gpt-4o");
    assert_int_equal(llmlab_pricing_resolve(book, "openai", "prod", &key),
                     LLMLAB_MATCH_UNKNOWN);
    price(book, "openai", "gpt-4o", "0.0030625");     /* the model's */
    price(book, "whoever", "house", "0.0030625");     /* by its key */
    price(book, "openai", "gpt-4o-mini", "0.000168"); /* the provider's */
    price(book, "azure", "prod", "0.00175");          /* that of all */
    llmlab_price_book_destroy(book);
}

static void
test_dates_begin_prices_and_discounts(void **state)
{
    const int64_t may = 1777593600;  /* 2026-05-01 */
    const int64_t june = 1780272000; /* 2026-06-01 */
    llmlab_price_book_t *book =
        parse("{\"llmlab_prices\":1,\"models\":{"
              "\"gpt-4o\":{\"provider\":\"openai\",\"prices\":["
              "{\"from\":\"2026-06-01\","
              "\"rates\":{\"input\":\"1\",\"output\":\"2\"}}]},"
              "\"ours\":{\"provider\":\"acme\",\"prices\":["
              "{\"from\":\"2026-06-01\","
              "\"rates\":{\"input\":\"1\",\"output\":\"2\"}}]}},"
              "\"discounts\":["
              "{\"model\":\"gpt-4o-mini\",\"percent\":\"10\","
              "\"from\":\"2026-05-01\"},"
              "{\"model\":\"gpt-4o-mini\",\"percent\":\"20\","
              "\"from\":\"2026-06-01\"}]}");

    (void)state;
    /* Until a price of ours begins the built-in one holds. */
    price_at(book, "openai", "gpt-4o", june - 1, "0.0035");
    price_at(book, "openai", "gpt-4o", june, "0.0012");
    price_at(book, "acme", "ours", june - 1, NULL);
    price_at(book, "acme", "ours", june, "0.0012");
    price_at(book, "openai", "gpt-4o-mini", may - 1, "0.00021");
    price_at(book, "openai", "gpt-4o-mini", may, "0.000189");
    price_at(book, "openai", "gpt-4o-mini", june, "0.000168");
    llmlab_price_book_destroy(book);
}

static void
test_names_what_is_wrong(void **state)
{
    static const struct {
        const char *json;
        const char *detail;
    } files[] = {
        {"{\"llmlab_prices\":2}", "llmlab_prices: 1 is expected"},
        {"{\"llmlab_prices\":1,\"version\":\"soon\"}",
         "version: is no date or UTC time"},
        {"{\"llmlab_prices\":1,\"models\":[]}", "models: is no object"},
        {"{\"llmlab_prices\":1,\"models\":{\"m\":{}}}",
         "models.m: provider: is missing"},
        {"{\"llmlab_prices\":1,\"models\":{\"m\":{\"provider\":\"a\","
         "\"rates\":{\"inptu\":\"1\"}}}}",
         "models.m: inptu: no such rate"},
        {"{\"llmlab_prices\":1,\"models\":{\"m\":{\"provider\":\"a\","
         "\"rate\":{}}}}",
         "models.m: rate: no such field"},
        {"{\"llmlab_prices\":1,\"models\":{\"m\":{\"provider\":\"a\","
         "\"rates\":{\"input\":\"-1\"}}}}",
         "m: input: \"-1\" is no amount of USD"},
        {"{\"llmlab_prices\":1,\"models\":{\"m\":{\"provider\":\"a\","
         "\"rates\":{\"input\":true}}}}",
         "models.m: input: is no decimal"},
        {"{\"llmlab_prices\":1,\"models\":{\"m\":{\"provider\":\"a\","
         "\"tiers\":{\"gold\":{}}}}}",
         "models.m: gold: no such tier"},
        {"{\"llmlab_prices\":1,\"models\":{\"m\":{\"provider\":\"a\","
         "\"contexts\":[{\"rates\":{}}]}}}",
         "models.m: contexts: one has no bound"},
        {"{\"llmlab_prices\":1,\"models\":{\"m\":{\"provider\":\"a\","
         "\"contexts\":[{\"input_above\":-5}]}}}",
         "models.m: input_above: is no count"},
        {"{\"llmlab_prices\":1,\"models\":{\"m\":{\"provider\":\"a\","
         "\"off_peak\":{\"windows\":[{\"hours\":[\"9-5\"]}]}}}}",
         "models.m: hours: one is not like \"16:30-00:30\""},
        {"{\"llmlab_prices\":1,\"models\":{\"m\":{\"provider\":\"a\","
         "\"off_peak\":{\"zone\":\"Europe/Berlin\",\"windows\":[]}}}}",
         "models.m: off_peak.zone: no zone of one fixed offset"},
        {"{\"llmlab_prices\":1,\"aliases\":{\"x\":\"no-such\"}}",
         "aliases.x: \"no-such\" is no model of the book"},
        {"{\"llmlab_prices\":1,\"discounts\":[{\"percent\":101}]}",
         "discounts: percent is no decimal from 0 to 100 with up to four "
         "decimals"},
        {"{\"m\":{\"input_cost_per_token\":-1e-6}}",
         "m: input: \"-1e-6\" is no amount of USD"},
        {"{\"m\":{\"input_cost_per_token\":[1]}}",
         "m: input_cost_per_token: is no decimal"},
        {"{\"m\":{\"input_cost_per_token\":1e300}}",
         "m: input: \"1e300\" is no amount of USD"},
        {"[]", "a price file is an object"},
        {"{\"a\":1,\"a\":2}",
         "line 1, column 1: an object with a duplicate key"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        llmlab_price_book_t *book = (llmlab_price_book_t *)&book;

        assert_int_equal(llmlab_price_book_parse(&book, files[i].json,
                                                 strlen(files[i].json)),
                         LLMLAB_EPARSE);
        assert_null(book);
        assert_string_equal(llmlab_status_detail(), files[i].detail);
    }
}

static void
test_loads_a_file(void **state)
{
    const char *path = LLMLAB_SOURCE_DIR "/tests/fixtures/pricing/book.json";
    llmlab_price_book_t *book = NULL;

    (void)state;
    assert_int_equal(llmlab_price_book_load(&book, path), LLMLAB_OK);
    price(book, "acme", "plain-1", "0.0028");
    llmlab_price_book_destroy(book);
    assert_int_equal(llmlab_price_book_load(&book, "/no/such/file"),
                     LLMLAB_EIO);
    assert_int_equal(llmlab_price_book_load(&book, "/"), LLMLAB_EIO);
    assert_null(book);
    assert_int_equal(llmlab_price_book_load(NULL, path), LLMLAB_EINVAL);
    assert_int_equal(llmlab_price_book_parse(NULL, "{}", 2), LLMLAB_EINVAL);
    assert_int_equal(llmlab_price_book_parse(&book, NULL, 2), LLMLAB_EINVAL);
    llmlab_price_book_destroy(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_prices_hide_the_built_in_ones),
        cmocka_unit_test(test_takes_litellms_form),
        cmocka_unit_test(test_aliases_and_discounts),
        cmocka_unit_test(test_dates_begin_prices_and_discounts),
        cmocka_unit_test(test_names_what_is_wrong),
        cmocka_unit_test(test_loads_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
