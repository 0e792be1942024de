/* Price files that are signed: {"llmlab_signed_prices": 1, "prices": the text
 * of a price file, "signature": its Ed25519 signature in hex}. */
#ifndef LLMLAB_PRICING_SIGNED_H
#define LLMLAB_PRICING_SIGNED_H

#include <stddef.h>
#include <stdint.h>

#include <llmlab/pricing.h>

/* As llmlab_price_book_load_signed(), from memory, at a time. */
llmlab_status_t llmlab__price_book_parse_signed(llmlab_price_book_t **out,
                                                const char *text, size_t size,
                                                const char *public_key,
                                                const char *above,
                                                int64_t now_s);

/* May the book take the place of present (NULL: none)? LLMLAB_EAUTH where a
 * price that the built-in table lacks changes beyond bounds: those that it has
 * were checked against it. */
llmlab_status_t
llmlab__price_book_check_change(const llmlab_price_book_t *book,
                                const llmlab_price_book_t *present);

#endif
