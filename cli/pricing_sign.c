/* llmlab pricing keygen and sign: price files that only the holder of a key
 * can change. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/json_write.h"
#include "cli/command.h"
#include "cli/file.h"
#include "cli/pricing.h"
#include "pricing/signed.h"

#define SECRET_HEX (crypto_sign_SECRETKEYBYTES * 2)

bool
cli_pricing_replace(const char *path, const void *bytes, size_t size,
                    bool secret)
{
    size_t room = strlen(path) + sizeof(".new");
    char *temporary = malloc(room);
    bool written = false;
    int file = -1;

    if (temporary != NULL) {
        snprintf(temporary, room, "%s.new", path);
        file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                    secret ? 0600 : 0644);
    }
    if (file >= 0) {
        written = write(file, bytes, size) == (ssize_t)size;
        written = fsync(file) == 0 && written;
        written = close(file) == 0 && written;
        written = written && rename(temporary, path) == 0;
    }
    if (!written) {
        fprintf(stderr, "llmlab: %s: %s\n", path, strerror(errno));
    }
    if (file >= 0 && !written) {
        unlink(temporary);
    }
    free(temporary);
    return written;
}

int
cli_pricing_keygen(const cli_args_t *args)
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
    unsigned char secret_key[crypto_sign_SECRETKEYBYTES];
    char public_hex[sizeof(public_key) * 2 + 1];
    char secret_hex[SECRET_HEX + 1];
    bool written;

    if (sodium_init() < 0 || crypto_sign_keypair(public_key, secret_key) != 0) {
        fprintf(stderr, "llmlab: libsodium does not start\n");
        return CLI_FAILED;
    }
    sodium_bin2hex(public_hex, sizeof(public_hex), public_key,
                   sizeof(public_key));
    sodium_bin2hex(secret_hex, sizeof(secret_hex), secret_key,
                   sizeof(secret_key));
    written =
        cli_pricing_replace(args->operands[1], secret_hex, SECRET_HEX, true);
    sodium_memzero(secret_key, sizeof(secret_key));
    sodium_memzero(secret_hex, sizeof(secret_hex));
    if (!written) {
        return CLI_FAILED;
    }
    printf("%s\n", public_hex);
    return CLI_OK;
}

/* The secret key of a file that keygen made. False after a line on stderr. */
static bool
read_secret(const char *path, unsigned char out[crypto_sign_SECRETKEYBYTES])
{
    llmlab__buf_t buf;
    size_t read = 0;
    bool valid;

    llmlab__buf_init(&buf);
    if (!cli_file_read(&buf, path)) {
        fprintf(stderr, "llmlab: %s: %s\n", path, strerror(errno));
        return false;
    }
    valid =
        buf.size >= SECRET_HEX &&
        sodium_hex2bin(out, crypto_sign_SECRETKEYBYTES, (const char *)buf.data,
                       SECRET_HEX, NULL, &read, NULL) == 0 &&
        read == crypto_sign_SECRETKEYBYTES;
    if (!valid) {
        fprintf(stderr, "llmlab: %s: is no secret key\n", path);
    }
    sodium_memzero(buf.data, buf.size);
    llmlab__buf_cleanup(&buf);
    return valid;
}

static void
put_envelope(llmlab__buf_t *out, const llmlab__buf_t *prices,
             const unsigned char secret[crypto_sign_SECRETKEYBYTES])
{
    unsigned char mark[crypto_sign_BYTES];
    char hex[crypto_sign_BYTES * 2 + 1];
    llmlab__json_out_t json;

    crypto_sign_detached(mark, NULL, prices->data, prices->size, secret);
    sodium_bin2hex(hex, sizeof(hex), mark, sizeof(mark));
    llmlab__json_out_init(&json, out);
    llmlab__json_begin_object(&json);
    llmlab__json_key(&json, "llmlab_signed_prices");
    llmlab__json_put_int(&json, 1);
    llmlab__json_key(&json, "prices");
    llmlab__json_put_string(&json, (const char *)prices->data, prices->size);
    llmlab__json_key(&json, "signature");
    llmlab__json_put_text(&json, hex);
    llmlab__json_end_object(&json);
    llmlab__buf_append(out, "\n", 1);
}

/* What is signed must be taken by those who check it: they are asked first. */
static bool
is_accepted(const llmlab__buf_t *envelope,
            const unsigned char secret[crypto_sign_SECRETKEYBYTES])
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
    char hex[sizeof(public_key) * 2 + 1];
    llmlab_price_book_t *book = NULL;
    llmlab_status_t status;

    crypto_sign_ed25519_sk_to_pk(public_key, secret);
    sodium_bin2hex(hex, sizeof(hex), public_key, sizeof(public_key));
    status = llmlab__price_book_parse_signed(
        &book, (const char *)envelope->data, envelope->size, hex, NULL, 0);
    llmlab_price_book_destroy(book);
    if (status != LLMLAB_OK) {
        fprintf(stderr, "llmlab: %s\n", llmlab_status_detail());
    }
    return status == LLMLAB_OK;
}

int
cli_pricing_sign(const cli_args_t *args)
{
    const char *secret_file = cli_args_get(args, "secret-key");
    const char *output = cli_args_get(args, "output");
    unsigned char secret[crypto_sign_SECRETKEYBYTES];
    int result = CLI_FAILED;
    llmlab__buf_t envelope;
    llmlab__buf_t prices;

    if (secret_file == NULL || output == NULL) {
        fprintf(stderr, "llmlab: sign wants --secret-key FILE and --output "
                        "FILE\n");
        return CLI_MISUSED;
    }
    llmlab__buf_init(&prices);
    llmlab__buf_init(&envelope);
    if (!cli_file_read(&prices, args->operands[1])) {
        fprintf(stderr, "llmlab: %s: %s\n", args->operands[1], strerror(errno));
    } else if (sodium_init() >= 0 && read_secret(secret_file, secret)) {
        put_envelope(&envelope, &prices, secret);
        if (!envelope.failed && is_accepted(&envelope, secret) &&
            cli_pricing_replace(output, envelope.data, envelope.size, false)) {
            result = CLI_OK;
        }
    }
    sodium_memzero(secret, sizeof(secret));
    llmlab__buf_cleanup(&prices);
    llmlab__buf_cleanup(&envelope);
    return result;
}
