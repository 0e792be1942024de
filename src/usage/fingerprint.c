#include "usage/fingerprint.h"

#include <sodium.h>

#include "base/status.h"
#include "usage/digest.h"

/* Texts are read whole until so many bytes were read; of later blocks only the
 * ends of longer texts count. */
#define INPUT_MAX ((size_t)65536)
#define BRIEF_MAX ((size_t)128)

_Static_assert(LLMLAB__FINGERPRINT_SIZE == LLMLAB__DIGEST_SIZE,
               "the last link of the chain is the fingerprint");

typedef struct prompt_s {
    llmlab__json_text_t tools;
    llmlab__json_text_t system;
    llmlab__json_text_t messages;
} prompt_t;

typedef struct chain_s {
    llmlab__digester_t digester;
    const unsigned char *key;
    llmlab__fingerprint_t *out;
    uint64_t blocks;
} chain_t;

void
llmlab__fingerprint_key(unsigned char out[LLMLAB__FINGERPRINT_KEY],
                        const char *project, const char *secret)
{
    static const char domain[] = "llmlab-fingerprint-1";
    crypto_generichash_blake2b_state state;

    (void)crypto_generichash_blake2b_init(&state, NULL, 0,
                                          LLMLAB__FINGERPRINT_KEY);
    /* With their NULs, so that no two pairs run together. */
    (void)crypto_generichash_blake2b_update(
        &state, (const unsigned char *)domain, sizeof(domain));
    (void)crypto_generichash_blake2b_update(
        &state, (const unsigned char *)project, strlen(project) + 1);
    (void)crypto_generichash_blake2b_update(
        &state, (const unsigned char *)secret, strlen(secret) + 1);
    (void)crypto_generichash_blake2b_final(&state, out,
                                           LLMLAB__FINGERPRINT_KEY);
    sodium_memzero(&state, sizeof(state));
}

static void
add_block(chain_t *chain, const llmlab__digest_t *block)
{
    unsigned char link[LLMLAB__FINGERPRINT_SIZE + LLMLAB__DIGEST_SIZE];
    llmlab__fingerprint_t *out = chain->out;

    memcpy(link, out->whole, sizeof(out->whole));
    memcpy(link + sizeof(out->whole), block->bytes, sizeof(block->bytes));
    (void)crypto_generichash_blake2b(out->whole, sizeof(out->whole), link,
                                     sizeof(link), chain->key,
                                     LLMLAB__FINGERPRINT_KEY);
    if (out->blocks < LLMLAB__FINGERPRINT_BLOCKS) {
        memcpy(out->prefix[out->blocks++], out->whole,
               LLMLAB__FINGERPRINT_BLOCK);
    }
    chain->blocks++;
}

static void
begin_block(chain_t *chain)
{
    chain->digester.text_max =
        chain->digester.text_bytes < INPUT_MAX ? INPUT_MAX : BRIEF_MAX;
}

/* --- messages ------------------------------------------------------------ */

static void
add_part(llmlab__digest_t *content, const llmlab__digest_t *part)
{
    *content = llmlab__digest_of('e', content->bytes, sizeof(content->bytes),
                                 part->bytes, sizeof(part->bytes));
}

static bool
is_text_type(const llmlab__json_text_t *type)
{
    return llmlab__json_key_is(type, "text") ||
           llmlab__json_key_is(type, "input_text") ||
           llmlab__json_key_is(type, "output_text");
}

/* An object among a message's parts, just entered. Each API has its own way to
 * wrap a text: it counts as the bare text. */
static void
read_part(llmlab__digester_t *digester, llmlab__digest_t *content)
{
    llmlab__json_t *json = &digester->json;
    llmlab__digest_t sum = {{0}};
    llmlab__digest_t text = {{0}};
    llmlab__json_text_t key;
    bool has_text = false;
    bool is_plain = true;
    bool is_empty = true;

    while (llmlab__json_next_key(json, &key)) {
        llmlab__json_text_t string;
        llmlab__digest_t value;

        if (llmlab__digest_skips(&key)) {
            llmlab__json_skip(json);
            continue;
        }
        is_empty = false;
        if (llmlab__json_string(json, &string)) {
            value = llmlab__digest_text(digester, &string);
            if (llmlab__json_key_is(&key, "text")) {
                text = value;
                has_text = true;
            } else if (!llmlab__json_key_is(&key, "type") ||
                       !is_text_type(&string)) {
                is_plain = false;
            }
        } else {
            value = llmlab__digest_value(digester);
            is_plain = false;
        }
        value = llmlab__digest_member(digester, &key, &value);
        llmlab__digest_add(&sum, &value);
    }
    if (has_text && is_plain) {
        add_part(content, &text);
    } else if (!is_empty) {
        sum = llmlab__digest_of('o', sum.bytes, sizeof(sum.bytes), NULL, 0);
        add_part(content, &sum);
    }
}

static void
read_content(llmlab__digester_t *digester, llmlab__digest_t *content)
{
    llmlab__json_t *json = &digester->json;
    llmlab__digest_t value;

    if (llmlab__json_null(json)) {
        return;
    }
    if (!llmlab__json_enter_array(json)) {
        value = llmlab__digest_value(digester);
        add_part(content, &value);
        return;
    }
    while (llmlab__json_next_element(json)) {
        if (llmlab__json_enter_object(json)) {
            read_part(digester, content);
        } else {
            value = llmlab__digest_value(digester);
            add_part(content, &value);
        }
    }
}

static const char *
role_of(const llmlab__json_text_t *role)
{
    if (llmlab__json_key_is(role, "model")) {
        return "assistant";
    }
    return llmlab__json_key_is(role, "developer") ? "system" : NULL;
}

static void
add_message(chain_t *chain, const char *role, size_t role_size,
            const llmlab__digest_t *content, const llmlab__digest_t *rest)
{
    unsigned char bytes[2 * LLMLAB__DIGEST_SIZE];
    llmlab__digest_t block;

    memcpy(bytes, content->bytes, sizeof(content->bytes));
    memcpy(bytes + sizeof(content->bytes), rest->bytes, sizeof(rest->bytes));
    block = llmlab__digest_of('M', role, role_size, bytes, sizeof(bytes));
    add_block(chain, &block);
}

/* A member beside role and content. Responses says of a message that it is
 * one, the other APIs do not. */
static void
read_rest(llmlab__digester_t *digester, const llmlab__json_text_t *key,
          llmlab__digest_t *rest)
{
    llmlab__json_text_t type;
    llmlab__digest_t value;

    if (llmlab__json_key_is(key, "type") &&
        llmlab__json_string(&digester->json, &type)) {
        if (llmlab__json_key_is(&type, "message")) {
            return;
        }
        value = llmlab__digest_text(digester, &type);
    } else {
        value = llmlab__digest_value(digester);
    }
    value = llmlab__digest_member(digester, key, &value);
    llmlab__digest_add(rest, &value);
}

/* The message that stands next. told: its role, whatever it says. */
static void
read_message(chain_t *chain, const char *told)
{
    llmlab__digester_t *digester = &chain->digester;
    llmlab__json_t *json = &digester->json;
    llmlab__digest_t content = {{0}};
    llmlab__digest_t rest = {{0}};
    llmlab__json_text_t role = {"user", 4, false};
    llmlab__json_text_t key;

    begin_block(chain);
    if (!llmlab__json_enter_object(json)) {
        read_content(digester, &content);
    } else {
        while (llmlab__json_next_key(json, &key)) {
            if (llmlab__digest_skips(&key)) {
                llmlab__json_skip(json);
            } else if (llmlab__json_key_is(&key, "content") ||
                       llmlab__json_key_is(&key, "parts")) {
                read_content(digester, &content);
            } else if (!llmlab__json_key_is(&key, "role") ||
                       !llmlab__json_string(json, &role)) {
                read_rest(digester, &key, &rest);
            }
        }
    }
    if (told == NULL) {
        told = role_of(&role);
    }
    if (told != NULL) {
        role.data = told;
        role.size = strlen(told);
    }
    add_message(chain, role.data, role.size, &content, &rest);
}

/* --- the request --------------------------------------------------------- */

static bool
enter(chain_t *chain, const llmlab__json_text_t *part)
{
    if (part->data == NULL) {
        return false;
    }
    llmlab__json_init(&chain->digester.json, part->data, part->size);
    return true;
}

static void
read_tools(chain_t *chain, const llmlab__json_text_t *tools)
{
    llmlab__digester_t *digester = &chain->digester;

    if (!enter(chain, tools) || !llmlab__json_enter_array(&digester->json)) {
        return;
    }
    while (llmlab__json_next_element(&digester->json)) {
        llmlab__digest_t tool;

        begin_block(chain);
        tool = llmlab__digest_value(digester);
        tool = llmlab__digest_of('T', tool.bytes, sizeof(tool.bytes), NULL, 0);
        add_block(chain, &tool);
    }
}

static void
read_messages(chain_t *chain, const llmlab__json_text_t *messages)
{
    llmlab__json_t *json = &chain->digester.json;

    if (!enter(chain, messages)) {
        return;
    }
    if (!llmlab__json_enter_array(json)) {
        read_message(chain, NULL);
        return;
    }
    while (llmlab__json_next_element(json)) {
        read_message(chain, NULL);
    }
}

/* Bedrock keeps its tools one level deeper. */
static void
take_tool_config(llmlab__json_t *json, prompt_t *prompt)
{
    llmlab__json_text_t key;

    if (!llmlab__json_enter_object(json)) {
        llmlab__json_skip(json);
        return;
    }
    while (llmlab__json_next_key(json, &key)) {
        if (llmlab__json_key_is(&key, "tools")) {
            llmlab__json_raw(json, &prompt->tools);
        } else {
            llmlab__json_skip(json);
        }
    }
}

static bool
is_system(const llmlab__json_text_t *key)
{
    return llmlab__json_key_is(key, "system") ||
           llmlab__json_key_is(key, "instructions") ||
           llmlab__json_key_is(key, "systemInstruction") ||
           llmlab__json_key_is(key, "system_instruction");
}

static bool
is_messages(const llmlab__json_text_t *key)
{
    return llmlab__json_key_is(key, "messages") ||
           llmlab__json_key_is(key, "input") ||
           llmlab__json_key_is(key, "contents") ||
           llmlab__json_key_is(key, "prompt");
}

static llmlab_status_t
find_prompt(prompt_t *out, const char *body, size_t size)
{
    llmlab__json_t json;
    llmlab__json_text_t key;

    memset(out, 0, sizeof(*out));
    llmlab__json_init(&json, body, size);
    if (!llmlab__json_enter_object(&json)) {
        return llmlab__fail(LLMLAB_EPARSE, "the request is no JSON object");
    }
    while (llmlab__json_next_key(&json, &key)) {
        if (llmlab__json_peek(&json) == LLMLAB__JSON_NULL) {
            llmlab__json_skip(&json);
        } else if (is_messages(&key)) {
            llmlab__json_raw(&json, &out->messages);
        } else if (is_system(&key)) {
            llmlab__json_raw(&json, &out->system);
        } else if (llmlab__json_key_is(&key, "tools")) {
            llmlab__json_raw(&json, &out->tools);
        } else if (llmlab__json_key_is(&key, "toolConfig")) {
            take_tool_config(&json, out);
        } else {
            llmlab__json_skip(&json);
        }
    }
    if (json.error != NULL || !llmlab__json_at_end(&json)) {
        return llmlab__fail(LLMLAB_EPARSE, "the request: %s (byte %zu)",
                            json.error != NULL ? json.error
                                               : "something follows it",
                            llmlab__json_offset(&json));
    }
    return LLMLAB_OK;
}

llmlab_status_t
llmlab__fingerprint_read(llmlab__fingerprint_t *out,
                         const unsigned char key[LLMLAB__FINGERPRINT_KEY],
                         const char *body, size_t size)
{
    chain_t chain = {.key = key, .out = out};
    prompt_t prompt;
    llmlab_status_t status = find_prompt(&prompt, body, size);

    memset(out, 0, sizeof(*out));
    if (status != LLMLAB_OK) {
        return status;
    }
    /* In the order in which the providers' caches see them. */
    read_tools(&chain, &prompt.tools);
    if (enter(&chain, &prompt.system)) {
        read_message(&chain, "system");
    }
    read_messages(&chain, &prompt.messages);
    if (chain.blocks == 0) {
        return llmlab__fail(LLMLAB_EPARSE, "the request holds no prompt");
    }
    return LLMLAB_OK;
}
