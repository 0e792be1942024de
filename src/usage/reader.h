/* One reply being read. Whole bodies and streams take the same way: bytes go
 * through the framing (frame.c) to a walk over each JSON text (walk.c), whose
 * tables (nodes.h) fill the facts; finish() makes the facts a reply. */
#ifndef LLMLAB_USAGE_READER_H
#define LLMLAB_USAGE_READER_H

#include <string.h>

#include <llmlab/pricing.h>
#include <llmlab/usage.h>

#include "base/json_push.h"
#include "usage/eventstream.h"
#include "usage/measure.h"
#include "usage/nodes.h"
#include "usage/sse.h"

#define LLMLAB__LEVELS    16   /* containers that a table reaches into */
#define LLMLAB__PREFIX    4096 /* a text's beginning, to tell its format by */
#define LLMLAB__WORD_SIZE 40

/* The first thing that was wrong. */
typedef struct llmlab__fault_s {
    llmlab_status_t status;
    const char *text; /* static */
    const char *key;  /* static; NULL: none */
    uint64_t offset;  /* within the event; UINT64_MAX: the key tells */
    uint64_t event;   /* counted from 1 */
} llmlab__fault_t;

/* What was read. Copied at each event of a stream and put back when the event
 * turns out to be malformed, so it stays small. */
typedef struct llmlab__facts_s {
    uint64_t present; /* of count[] */
    uint64_t count[LLMLAB__SLOTS];
    llmlab__measure_t said[LLMLAB__SAID];
    char type[LLMLAB__WORD_SIZE];
    char reason[LLMLAB__WORD_SIZE];
    char item_type[LLMLAB__WORD_SIZE];
    char item_name[LLMLAB__WORD_SIZE];
    char item_status[LLMLAB__WORD_SIZE];
    char item_model[sizeof(((llmlab_usage_part_t *)NULL)->model)];
    uint64_t containers[4]; /* hashes of code interpreter containers */
    uint8_t container_count;
    bool adding;    /* counts add up: several calls in one reply */
    bool ended;     /* the protocol's end was seen */
    bool stopped;   /* a finish reason was seen */
    bool has_usage; /* a usage object was seen */
    bool not_ended; /* the body says that it is not the last word */
    bool has_data;  /* a list of embeddings or results */
    bool is_vertex; /* what only this provider writes was seen */
    bool is_groq;
    bool is_perplexity;
    bool is_stream; /* a stream by its form, such as an array of chunks */
    bool is_final;  /* inside the object that holds the whole response */
    uint32_t billable_searches; /* counted from the output's items */
    uint32_t file_searches;
    uint32_t sessions;
    uint32_t silent_parts; /* bit i: part i gave no output */
    bool has_fallback;     /* another model answered than the one asked */
    llmlab__fault_t fault;
    llmlab_reply_t reply; /* last, and its parts last in it: what has none is
                             copied without them */
} llmlab__facts_t;

typedef struct llmlab__level_s {
    const llmlab__node_t *node;
    uint64_t seen; /* bit i: the node's i-th key was read */
    bool is_array;
    bool is_item; /* an element of an array */
} llmlab__level_t;

/* One JSON text on its way through a table. */
typedef struct llmlab__walk_s {
    llmlab__reader_t *reader;
    const llmlab__form_t *form;    /* NULL: to be found */
    const llmlab__form_t *told;    /* what the caller said; NULL: nothing */
    const llmlab__node_t *pending; /* the node of the key just read */
    bool running;                  /* push got its first byte */
    unsigned level_count;
    llmlab__level_t levels[LLMLAB__LEVELS];
    llmlab__push_t push;
    /* Finding the format: */
    const llmlab__form_t *found;
    bool detect_saw_id;
    unsigned detect_level;
    uint8_t detect_key;
    size_t prefix_size;
    llmlab__push_t detect;
    char prefix[LLMLAB__PREFIX];
} llmlab__walk_t;

typedef enum llmlab__framing_e {
    LLMLAB__FRAMING_UNKNOWN = 0,
    LLMLAB__FRAMING_JSON, /* one text, or several in a row (NDJSON) */
    LLMLAB__FRAMING_SSE,
    LLMLAB__FRAMING_EVENTSTREAM
} llmlab__framing_t;

struct llmlab__reader_s {
    llmlab__framing_t framing;
    uint8_t bom_size;  /* bytes of a byte order mark so far */
    bool started;      /* a token of output was seen */
    bool event_failed; /* the rest of this event is skipped */
    bool has_saved;
    bool inner_used;    /* this event holds a reply inside a reply */
    bool inner_ignored; /* which is no JSON, or malformed */
    bool text_open;     /* JSON framing: inside a text */
    bool measures;      /* the answer's text is measured */
    uint8_t base64_bits;
    uint32_t base64_word;
    uint64_t events;
    const char *inner_error;          /* static; NULL: none in this event */
    const llmlab__form_t *inner_form; /* the vendor's, once it is known */
    llmlab__facts_t facts;
    llmlab__facts_t saved;
    llmlab__sse_t sse;
    llmlab__eventstream_t eventstream;
    llmlab__walk_t walk;
    llmlab__walk_t inner; /* InvokeModel's base64 */
};

/* reader.c */
/* measures: a reply without counts gets an estimate. It costs about a
 * nanosecond a byte of the answer's text. */
void llmlab__reader_init(llmlab__reader_t *reader, const char *provider,
                         const char *api, bool measures);
void llmlab__reader_feed(llmlab__reader_t *reader, const char *bytes,
                         size_t size);
/* The bytes end here: what is open now is cut off. */
void llmlab__reader_finish(llmlab__reader_t *reader);
llmlab_status_t llmlab__reader_reply(const llmlab__reader_t *reader,
                                     llmlab_reply_t *out);
/* LLMLAB_OK, or the first fault. */
llmlab_status_t llmlab__reader_status(const llmlab__reader_t *reader);
/* An event of a stream begins, ends, or turns out to be malformed. */
/* A hook: a reply that has nothing but a message is an error. */
void llmlab__on_bare_message(llmlab__reader_t *reader, llmlab__moment_t moment,
                             llmlab__json_type_t type,
                             const llmlab__json_text_t *text);

void llmlab__reader_event_begin(llmlab__reader_t *reader);
void llmlab__reader_event_end(llmlab__reader_t *reader);
void llmlab__reader_event_fail(llmlab__reader_t *reader, const char *text);
/* A part of the event's JSON. Returns how many bytes were taken: less than
 * size behind the JSON's end and at a fault. */
size_t llmlab__reader_event_json(llmlab__reader_t *reader, const char *bytes,
                                 size_t size);

/* walk.c */
void llmlab__walk_init(llmlab__walk_t *walk, llmlab__reader_t *reader,
                       const llmlab__form_t *told);
/* Get ready for the next text. */
void llmlab__walk_begin(llmlab__walk_t *walk);
size_t llmlab__walk_feed(llmlab__walk_t *walk, const char *bytes, size_t size);
/* No more comes: completes a bare number. True if the text is whole. */
bool llmlab__walk_finish(llmlab__walk_t *walk);
/* The text's value has ended. */
bool llmlab__walk_done(const llmlab__walk_t *walk);
const char *llmlab__walk_error(const llmlab__walk_t *walk);
/* No byte but white space has come since begin(). */
bool llmlab__walk_is_empty(const llmlab__walk_t *walk);

/* detect.c */
void llmlab__detect_begin(llmlab__walk_t *walk);
/* The format of an api; NULL: the reply's form has to tell. */
const llmlab__form_t *llmlab__detect_api(const char *provider, const char *api);
/* Name the provider by what only it writes; "" where nothing tells. */
const char *llmlab__detect_provider(const llmlab__facts_t *facts,
                                    const llmlab__form_t *form);

/* base64.c */
void llmlab__base64_begin(llmlab__reader_t *reader);
void llmlab__base64_piece(llmlab__reader_t *reader, const char *bytes,
                          size_t size);
void llmlab__base64_end(llmlab__reader_t *reader);

/* facts.c: small things that the formats share. */
static inline bool
llmlab__is_azure(const char *provider)
{
    return strncmp(provider, "azure", 5) == 0;
}

static inline bool
llmlab__has(const llmlab__facts_t *facts, llmlab__slot_t slot)
{
    return ((facts->present >> slot) & 1) != 0;
}

/* 0 where it is absent: only for sums in which absent adds nothing. */
static inline uint64_t
llmlab__get(const llmlab__facts_t *facts, llmlab__slot_t slot)
{
    return llmlab__has(facts, slot) ? facts->count[slot] : 0;
}

static inline void
llmlab__put(llmlab__facts_t *facts, llmlab__slot_t slot, uint64_t count)
{
    facts->count[slot] = count;
    facts->present |= UINT64_C(1) << slot;
}

static inline void
llmlab__drop(llmlab__facts_t *facts, llmlab__slot_t slot)
{
    facts->present &= ~(UINT64_C(1) << slot);
}

/* Remember the first fault. */
void llmlab__fault(llmlab__facts_t *facts, llmlab_status_t status,
                   const char *text, const char *key);
/* Add to a slot that starts absent. */
void llmlab__add(llmlab__facts_t *facts, llmlab__slot_t slot, uint64_t count);
/* Set a field of the reply's usage if the slot is present. True if so. */
bool llmlab__give(llmlab__facts_t *facts, llmlab_usage_field_t field,
                  llmlab__slot_t slot);
/* Set a field to a sum; a sum above 2^63 - 1 is a fault. */
void llmlab__give_sum(llmlab__facts_t *facts, llmlab_usage_field_t field,
                      uint64_t a, uint64_t b, uint64_t c);
/* Copy a text into a fixed array, cut on a character. */
void llmlab__copy_word(char *out, size_t capacity,
                       const llmlab__json_text_t *text);
void llmlab__copy_text(char *out, size_t capacity, const char *text);
bool llmlab__word_is(const char *word, const char *literal);
/* A number or a string that holds one, as femto-USD. True when stored. */
bool llmlab__read_money(llmlab__facts_t *facts, uint64_t out[2],
                        llmlab__json_type_t type,
                        const llmlab__json_text_t *text, const char *key);
/* That many more tool calls; 0 makes "unknown" none. */
void llmlab__count_tool(llmlab__facts_t *facts, int calls);
/* parts.c: a run of another model, or another run of the reply's, from the
 * item's slots, whose input excludes what the cache gave and took, or not. */
void llmlab__part_add(llmlab__facts_t *facts, bool cache_is_inside);
/* Forget the runs: their list begins anew. */
void llmlab__parts_clear(llmlab__facts_t *facts);
/* Keep what is billed, and nothing where the reply's own usage says it all. */
void llmlab__parts_finish(llmlab__facts_t *facts);
/* For the hooks of containers: forget the element's slots and words. */
void llmlab__item_begin(llmlab__facts_t *facts);
/* A finish reason, if it is a text. */
llmlab__hook_t llmlab__on_stop;
/* The counts inside a container add up instead of replacing one another. */
llmlab__hook_t llmlab__on_several;

/* identity.c */
int llmlab__identity(uint64_t input, uint64_t output, uint64_t total,
                     uint64_t reasoning, uint64_t cache);

#endif
