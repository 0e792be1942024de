/* A wire format as a table: which keys of a reply matter, and where their
 * values go. */
#ifndef LLMLAB_USAGE_NODES_H
#define LLMLAB_USAGE_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json_scan.h"

typedef struct llmlab__reader_s llmlab__reader_t;
struct llmlab__facts_s;

/* Counts as the provider states them, before a format's finish() makes them
 * canonical. What a name means is told by the format that fills it. */
typedef enum llmlab__slot_e {
    LLMLAB__IN = 0,
    LLMLAB__OUT,
    LLMLAB__TOTAL,
    LLMLAB__READ,       /* cache read, in the details object */
    LLMLAB__READ_HIT,   /* DeepSeek's prompt_cache_hit_tokens */
    LLMLAB__READ_OTHER, /* beside the details object */
    LLMLAB__WRITE,
    LLMLAB__WRITE_OTHER,
    LLMLAB__WRITE_5M,
    LLMLAB__WRITE_1H,
    LLMLAB__REASONING,
    LLMLAB__REASONING_OTHER,
    LLMLAB__TOOL_PROMPT, /* Gemini: the tools' part of the prompt */
    LLMLAB__IN_AUDIO,
    LLMLAB__IN_IMAGE,
    LLMLAB__IN_VIDEO,
    LLMLAB__OUT_AUDIO,
    LLMLAB__OUT_IMAGE,
    LLMLAB__OUT_VIDEO,
    LLMLAB__READ_AUDIO,
    LLMLAB__READ_IMAGE,
    LLMLAB__READ_VIDEO,
    LLMLAB__CITATION,
    LLMLAB__SEARCHES, /* as stated */
    LLMLAB__FETCHES,
    LLMLAB__SEARCH_UNITS,
    LLMLAB__AUDIO_MICROSECONDS,
    LLMLAB__PAGES,
    LLMLAB__PIXELS,
    LLMLAB__IMAGES,
    LLMLAB__CHARACTERS,
    LLMLAB__TICKS,     /* xAI: 1e-10 USD */
    LLMLAB__METRIC_IN, /* Bedrock's own counts at a stream's end */
    LLMLAB__METRIC_OUT,
    LLMLAB__METRIC_READ,
    LLMLAB__METRIC_WRITE,
    LLMLAB__EXTRA_IN, /* Anthropic: what compaction used besides */
    LLMLAB__EXTRA_OUT,
    LLMLAB__EXTRA_READ,
    LLMLAB__EXTRA_5M,
    LLMLAB__EXTRA_1H,
    LLMLAB__ITEM_IN, /* from here on: of the array element being read */
    LLMLAB__ITEM_OUT,
    LLMLAB__ITEM_READ,
    LLMLAB__ITEM_WRITE,
    LLMLAB__ITEM_5M,
    LLMLAB__ITEM_1H,
    LLMLAB__ITEM_REASONING,
    LLMLAB__SLOTS
} llmlab__slot_t;

typedef enum llmlab__words_e {
    LLMLAB__MODEL = 0,
    LLMLAB__ID,
    LLMLAB__FINISH,
    LLMLAB__TIER,
    LLMLAB__SPEED,
    LLMLAB__REGION,
    LLMLAB__ERROR_TYPE,
    LLMLAB__ERROR_CODE,
    LLMLAB__SEARCH_CONTEXT,
    LLMLAB__TYPE, /* of the event or body; not in the reply */
    LLMLAB__REASON,
    LLMLAB__ITEM_TYPE, /* of the array element being read */
    LLMLAB__ITEM_NAME,
    LLMLAB__ITEM_STATUS,
    LLMLAB__ITEM_MODEL,
    LLMLAB__WORDS
} llmlab__words_t;

typedef enum llmlab__kind_e {
    LLMLAB__NODE_CONTAINER, /* an object, or an array whose elements are it */
    LLMLAB__NODE_COUNT,
    LLMLAB__NODE_SECONDS, /* a count of microseconds */
    LLMLAB__NODE_WORD,
    LLMLAB__NODE_TOKEN, /* output, if it is not empty; slot: a llmlab__said */
    LLMLAB__NODE_HOOK,  /* a scalar that the hook reads */
    LLMLAB__NODE_BASE64 /* a reply inside a reply */
} llmlab__kind_t;

/* Where a text of the answer is measured. Some servers say it twice: of each
 * pair the longer counts. */
typedef enum llmlab__said_e {
    LLMLAB__SAID_NOTHING = 0, /* not measured: no tokens are billed for it */
    LLMLAB__SAID_TEXT,
    LLMLAB__SAID_TEXT_AGAIN,
    LLMLAB__SAID_THOUGHT,
    LLMLAB__SAID_THOUGHT_AGAIN,
    LLMLAB__SAID
} llmlab__said_t;

/* Why a hook is called. */
typedef enum llmlab__moment_e {
    LLMLAB__OPEN,   /* the container begins */
    LLMLAB__ITEM,   /* an element of the array begins */
    LLMLAB__ITEMED, /* and ends */
    LLMLAB__CLOSE,  /* the container ends */
    LLMLAB__VALUE   /* a scalar stands here; text is not NULL */
} llmlab__moment_t;

/* The container's events come without a text. */
typedef void llmlab__hook_t(llmlab__reader_t *reader, llmlab__moment_t moment,
                            llmlab__json_type_t type,
                            const llmlab__json_text_t *text);

typedef struct llmlab__node_s {
    const char *key;
    uint8_t size; /* of the key */
    uint8_t kind;
    uint8_t slot;   /* a slot or a word */
    uint8_t strict; /* another type than the node's is a fault */
    const struct llmlab__node_s *nodes; /* of a container, or of a token's
                                           parts; ends with a NULL key */
    llmlab__hook_t *hook;
} llmlab__node_t;

#define LLMLAB__KEY(name) .key = (name), .size = sizeof(name) - 1

#define LLMLAB__COUNT(name, where)                                             \
    {                                                                          \
        LLMLAB__KEY(name), .kind = LLMLAB__NODE_COUNT, .slot = LLMLAB__##where \
    }
#define LLMLAB__SECONDS(name, where)                     \
    {                                                    \
        LLMLAB__KEY(name), .kind = LLMLAB__NODE_SECONDS, \
                           .slot = LLMLAB__##where       \
    }
#define LLMLAB__WORD(name, where)                                             \
    {                                                                         \
        LLMLAB__KEY(name), .kind = LLMLAB__NODE_WORD, .slot = LLMLAB__##where \
    }
#define LLMLAB__TOKEN(name, where)                      \
    {                                                   \
        LLMLAB__KEY(name), .kind = LLMLAB__NODE_TOKEN,  \
                           .slot = LLMLAB__SAID_##where \
    }
/* Which may also be an array of parts. */
#define LLMLAB__TOKENS(name, where, inner)                                \
    {                                                                     \
        LLMLAB__KEY(name), .kind = LLMLAB__NODE_TOKEN,                    \
                           .slot = LLMLAB__SAID_##where, .nodes = (inner) \
    }
#define LLMLAB__VALUE_HOOK(name, function)                               \
    {                                                                    \
        LLMLAB__KEY(name), .kind = LLMLAB__NODE_HOOK, .hook = (function) \
    }
/* Containers; STRICT ones hold counts and may be nothing else (or null). */
#define LLMLAB__INSIDE(name, inner)         \
    {                                       \
        LLMLAB__KEY(name), .nodes = (inner) \
    }
#define LLMLAB__STRICT(name, inner)                      \
    {                                                    \
        LLMLAB__KEY(name), .nodes = (inner), .strict = 1 \
    }
#define LLMLAB__HOOKED(name, inner, function)                   \
    {                                                           \
        LLMLAB__KEY(name), .nodes = (inner), .hook = (function) \
    }
#define LLMLAB__NODES_END \
    {                     \
        .key = NULL       \
    }

/* A wire format. */
typedef struct llmlab__form_s {
    const char *name; /* its api, where nobody told one */
    llmlab__node_t root;
    /* Make the counts canonical. */
    void (*finish)(struct llmlab__facts_s *facts);
    /* A whole event or body was read; NULL: nothing to do. */
    void (*event)(struct llmlab__facts_s *facts);
} llmlab__form_t;

extern const llmlab__form_t llmlab__form_openai_chat;
extern const llmlab__form_t llmlab__form_openai_responses;
extern const llmlab__form_t llmlab__form_anthropic;
extern const llmlab__form_t llmlab__form_gemini;
extern const llmlab__form_t llmlab__form_gemini_interactions;
extern const llmlab__form_t llmlab__form_bedrock;
extern const llmlab__form_t llmlab__form_cohere;
extern const llmlab__form_t llmlab__form_ollama;

/* What Bedrock adds to the last chunk of any vendor's stream. */
extern const llmlab__node_t llmlab__bedrock_metric_nodes[];

/* Shared by every format: the error object. */
extern const llmlab__node_t llmlab__error_nodes[];
/* Unix seconds at which a reply was made. */
llmlab__hook_t llmlab__on_created;
llmlab__hook_t llmlab__on_error;

/* Shared by the formats in OpenAI's style. */
extern const llmlab__node_t llmlab__openai_usage_nodes[];
void llmlab__openai_finish(struct llmlab__facts_s *facts);

#endif
