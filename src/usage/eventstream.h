/* AWS's binary event stream: frames of a prelude, headers, a payload and two
 * CRC-32s. */
#ifndef LLMLAB_USAGE_EVENTSTREAM_H
#define LLMLAB_USAGE_EVENTSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct llmlab__eventstream_s {
    uint8_t state;
    uint8_t held_size;
    uint8_t held[12]; /* the prelude, or the CRC at the end */
    uint32_t headers_left;
    uint32_t payload_left;
    uint32_t crc; /* of the frame so far */
    bool dead;    /* a broken prelude: where frames begin is unknown */
    /* The header being read: */
    uint8_t step;
    uint8_t name_size;
    uint8_t name_left;
    uint16_t value_size;
    uint32_t value_left;
    char name[20];
    char value[48];
    char exception[48];
    bool is_exception;
} llmlab__eventstream_t;

struct llmlab__reader_s;

void llmlab__eventstream_init(llmlab__eventstream_t *stream);
void llmlab__eventstream_feed(struct llmlab__reader_s *reader,
                              const char *bytes, size_t size);
/* Is the stream between two frames? */
bool llmlab__eventstream_at_rest(const llmlab__eventstream_t *stream);

#endif
