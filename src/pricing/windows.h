/* Times of day at which other rates hold, and dates as prices state them. */
#ifndef LLMLAB_PRICING_WINDOWS_H
#define LLMLAB_PRICING_WINDOWS_H

#include "pricing/table.h"

#define LLMLAB__EVERY_DAY 0x7f

/* Does the instant lie in the window? The start is inclusive, the end
 * exclusive; a window may pass midnight; start = end is the whole day. The
 * weekday is that of the instant on the calendar of the window's zone. */
bool llmlab__window_holds(const llmlab__window_t *window, int64_t time_s);

/* "16:30-00:30" into start and end. */
bool llmlab__window_hours(const char *text, llmlab__window_t *window);
/* "mon" .. "sun" into a bit; 0 when it is none. */
unsigned llmlab__window_day(const char *text);
/* "UTC", "Asia/Shanghai", "+05:30" into minutes ahead of UTC. Only zones that
 * keep one offset all the year: with others a price would change twice a year
 * without telling. */
bool llmlab__window_zone(const char *text, int16_t *out_minutes);

/* RFC 3339, "2026-08-16T16:00:00Z", or a date, which is its midnight in UTC;
 * seconds since 1970. */
bool llmlab__instant_parse(const char *text, int64_t *out_s);
/* "2026-08-16" into days since 1970; false below that or after 2149. */
bool llmlab__date_parse(const char *text, uint16_t *out_day);
/* And back; out holds at least 11 bytes. */
void llmlab__date_format(uint16_t day, char *out);

#endif
