/* Reads frames from standard input, each after its length (4 bytes, little-endian), and asks examples/c/msgpack.c for everything in
 * them. Each lies in memory of just its size, so that the address sanitizer sees a read beyond it. Prints how many were whole. */
#include "msgpack.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const KEYS[] = {"header", "answer", "standing", "kind", "number", "session", "denials", "release", "target", "", "missing"};

static size_t walk(mp_value value, int depth)
{
    mp_value inner;
    uint32_t length;
    bool flag;
    int64_t whole;
    double number;
    const char *text;
    size_t size, seen = 1;
    char copied[8];
    if (depth > 20)
        return seen;
    seen += mp_is_nil(value) + mp_bool(value, &flag) + mp_int(value, &whole) + mp_float(value, &number) + mp_copy_text(value, copied, sizeof copied);
    if (mp_text(value, &text, &size))
        for (size_t i = 0; i < size; i++)
            seen += text[i] == 'a';
    for (uint32_t i = 0; mp_length(value, &length) && i < length && i < 20 && mp_item(value, i, &inner); i++)
        seen += walk(inner, depth + 1);
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (mp_get(value, KEYS[i], &inner))
            seen += walk(inner, depth + 1);
    return seen;
}

int main(void)
{
    unsigned char head[4];
    size_t whole = 0, seen = 0;
    while (fread(head, 1, 4, stdin) == 4) {
        size_t size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        unsigned char *frame = malloc(size ? size : 1);
        mp_value value;
        if (!frame || fread(frame, 1, size, stdin) != size)
            return 2;
        if (mp_root(frame, size, &value))
            whole++;
        seen += walk(value, 0); /* of a broken frame too: every read must hold by itself */
        free(frame);
    }
    printf("%zu %zu\n", whole, seen);
    return 0;
}
