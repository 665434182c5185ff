// line_test.c: lines come out whole, however the bytes came in.
#include "rpc/line.h"

#include "tests/test.h"

static void feed(struct line *line, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t room;
        char *to = line_room(line, &room);
        CHECK(room > 0);
        size_t part = size < room ? size : room;
        memcpy(to, bytes, part);
        line_filled(line, part);
        bytes += part;
        size -= part;
        CHECK(size == 0); // these tests feed less than one buffer
    }
}

// Appends what comes out to `heard`: lines in <>, a too long one as !.
static void drain(struct line *line, char *heard)
{
    const char *text;
    size_t size;
    enum line_status status;
    while ((status = line_next(line, &text, &size)) != LINE_NONE) {
        if (status == LINE_TOO_LONG) {
            strcat(heard, "!");
        } else {
            sprintf(heard + strlen(heard), "<%.*s>", (int)size, text);
        }
    }
}

TEST(lines_are_the_same_wherever_the_bytes_are_split)
{
    const char stream[] = "one\n\ntwo 22\r\nexactly8\nninebytes\nthree\nrest";
    size_t size = sizeof stream - 1;
    for (size_t first = 0; first <= size; first++) {
        for (size_t second = first; second <= size; second++) {
            char heard[128] = "";
            struct line line;
            line_init(&line, 8);
            feed(&line, stream, first);
            drain(&line, heard);
            feed(&line, stream + first, second - first);
            drain(&line, heard);
            feed(&line, stream + second, size - second);
            drain(&line, heard);
            CHECK_TEXT(heard, "<one><><two 22\r><exactly8>!<three>");
            line_release(&line);
        }
    }
}

TEST(a_line_that_is_too_long_is_told_before_it_ends_and_only_once)
{
    char heard[32] = "";
    struct line line;
    line_init(&line, 8);
    feed(&line, "123456789", 9);
    drain(&line, heard);
    CHECK_TEXT(heard, "!");
    for (int i = 0; i < 1000; i++) {
        feed(&line, "abcdefgh", 8);
        drain(&line, heard);
    }
    feed(&line, "end\nnext\n", 9);
    drain(&line, heard);
    CHECK_TEXT(heard, "!<next>");
    line_release(&line);
}

TEST(the_buffer_does_not_outgrow_the_limit)
{
    enum { MOST = 200 * 1000 };
    struct line line;
    const char *text;
    size_t size;
    line_init(&line, MOST);
    uint32_t too_long = 0;
    for (int i = 0; i < 2000; i++) {
        size_t room;
        char *to = line_room(&line, &room);
        memset(to, 'x', room);
        line_filled(&line, room);
        too_long += line_next(&line, &text, &size) == LINE_TOO_LONG;
        CHECK(line.capacity < 2 * MOST);
    }
    CHECK_EQ(too_long, 1);
    line_release(&line);
}

TEST(a_line_of_just_the_limit_passes_and_one_byte_more_does_not)
{
    enum { MOST = 100 * 1000 };
    for (size_t length = MOST; length <= MOST + 1; length++) {
        struct line line;
        const char *text;
        size_t size = 0;
        line_init(&line, MOST);
        enum line_status status = LINE_NONE;
        for (size_t done = 0; done < length + 1 && status == LINE_NONE;) {
            size_t room;
            char *to = line_room(&line, &room);
            size_t part = length + 1 - done < room ? length + 1 - done : room;
            memset(to, 'x', part);
            done += part;
            if (done == length + 1) {
                to[part - 1] = '\n';
            }
            line_filled(&line, part);
            status = line_next(&line, &text, &size);
        }
        CHECK_EQ(status, length == MOST ? LINE_READY : LINE_TOO_LONG);
        CHECK(length != MOST || size == MOST);
        line_release(&line);
    }
}

TEST_MAIN
