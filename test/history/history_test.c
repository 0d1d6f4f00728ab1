/*
 * The checker itself is checked: histories that could have been are accepted, others are not, and each is rejected by
 * the check that is there for it.
 *
 *   history_test bad.txt
 */
#include "generate.h"
#include "memory.h"
#include "search.h"
#include "step.h"
#include "test.h"
#include "witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEGAL_HISTORIES 1000
#define MUTANTS 2000
/*
 * Measured: 977 and 437. What lives could have been too: a refusal that was right at another moment of its time, a
 * repeated release that happened a little earlier. The search sees neither seqs nor the log.
 */
#define REJECTED_PER_MILLE_MIN 970
#define SEARCHED_PER_MILLE_MIN 430
#define SEARCH_MS_MAX 60000

/* Small things. */

static void read_text(struct history *h, const char *text)
{
    history_init(h);
    FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(in);
    assert_true(history_read(h, in));
    (void)fclose(in);
}

/* What both checks found, each by itself. */
struct verdict {
    struct report witness, search;
    size_t gave_up;
};

static struct verdict judge(const char *text)
{
    struct verdict v = {0};
    struct history h;
    struct ledger l;
    read_text(&h, text);
    ledger_init(&l, &h, &v.witness);
    witness_check(&l, &v.witness);
    v.gave_up = search_check(&h, NULL, SEARCH_MS_MAX, &v.search);
    ledger_release(&l);
    history_release(&h);
    return v;
}

static void verdict_release(struct verdict *v)
{
    report_release(&v->witness);
    report_release(&v->search);
}

static void print_report(const struct report *r)
{
    for (size_t i = 0; i < r->len; i++) {
        print_message("%s %s\n", r->violations[i].id, r->violations[i].text);
    }
}

static char *generated(uint64_t seed)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    generate(seed, out);
    (void)fclose(out);
    return text;
}

/* Bad histories, one test each. */

struct bad {
    char *name;
    char *expected; /* "I6 I8 search" */
    char *text;
};

struct bads {
    struct bad *rows;
    size_t len, cap;
};

static bool is_expected(const struct bad *b, const char *id)
{
    size_t len = strlen(id);
    for (const char *at = b->expected; (at = strstr(at, id)) != NULL; at += len) {
        if ((at == b->expected || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

static void it_is_rejected_by_the_check_that_is_for_it(void **state)
{
    const struct bad *b = *state;
    struct verdict v = judge(b->text);
    static const char *const ids[] = {"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I19"};
    bool right = v.witness.len > 0 && (v.search.len > 0) == is_expected(b, "search") && v.gave_up == 0;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        right = right && report_has(&v.witness, ids[i]) == is_expected(b, ids[i]);
    }
    if (!right) {
        print_message("expected: %s\n", b->expected);
        print_report(&v.witness);
        print_message("search:\n");
        print_report(&v.search);
    }
    verdict_release(&v);
    assert_true(right);
}

static char *read_file(const char *path)
{
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    size_t len = (size_t)ftell(in);
    char *text = memory_new(len + 1, 1);
    rewind(in);
    assert_int_equal(fread(text, 1, len, in), len);
    (void)fclose(in);
    return text;
}

/* Cuts the text at the next `mark` and returns what is behind it; NULL: there is none. */
static char *cut(char *text, const char *mark)
{
    char *at = strstr(text, mark);
    if (at == NULL) {
        return NULL;
    }
    *at = '\0';
    return at + strlen(mark);
}

/* The rows point into the text. */
static void read_bads(char *text, struct bads *all)
{
    for (char *name = cut(text, "\n== "); name != NULL;) {
        char *next = cut(name, "\n== ");
        memory_grow((void **)&all->rows, &all->cap, all->len + 1, sizeof(*all->rows));
        struct bad *b = &all->rows[all->len++];
        b->name = name;
        b->expected = cut(name, "\n! ");
        assert_non_null(b->expected);
        b->text = cut(b->expected, "\n");
        assert_non_null(b->text);
        name = next;
    }
}

static void there_are_many_bad_histories(void **state)
{
    const struct bads *all = *state;
    size_t searched = 0;
    for (size_t i = 0; i < all->len; i++) {
        searched += is_expected(&all->rows[i], "search");
    }
    assert_true(all->len >= 60);
    assert_true(searched >= 15);
}

/* Good histories. */

static void generated_histories_are_accepted_by_both_checks(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= LEGAL_HISTORIES; seed++) {
        char *text = generated(seed);
        struct verdict v = judge(text);
        if (v.witness.len + v.search.len + v.gave_up > 0) {
            print_message("seed %lu:\n", seed);
            print_report(&v.witness);
            print_report(&v.search);
        }
        bool accepted = v.witness.len + v.search.len + v.gave_up == 0;
        verdict_release(&v);
        free(text);
        assert_true(accepted);
    }
}

/* A seq is a hint and nothing more. */
static void search_finds_an_order_without_any_seq(void **state)
{
    (void)state;
    size_t gave_up = 0;
    size_t levels = 0;
    for (uint64_t seed = 1; seed <= LEGAL_HISTORIES / 10; seed++) {
        char *text = generated(seed);
        struct history h;
        struct report report = {0};
        read_text(&h, text);
        for (size_t i = 0; i < h.ops_len; i++) {
            h.ops[i].seq = 0;
        }
        for (uint32_t sku = 1; sku <= h.skus.len; sku++) {
            gave_up += search_level(&h, NULL, sku, SEARCH_MS_MAX, &report) == SEARCH_GAVE_UP;
            levels++;
        }
        size_t rejected = report.len;
        report_release(&report);
        history_release(&h);
        free(text);
        assert_int_equal(rejected, 0);
    }
    assert_true(levels > LEGAL_HISTORIES / 10);
    assert_int_equal(gave_up, 0);
}

/* Two dozen writes at once without answers, and a read that none of their many orders explains. */
static void search_that_gives_up_is_a_violation(void **state)
{
    (void)state;
    struct history h;
    struct report report = {0};
    history_init(&h);
    for (int i = 0; i < 24; i++) {
        char line[128];
        const char *why;
        (void)snprintf(line, sizeof(line), "op %d k%d receive A %d 10 - unknown", i, i, 1 << i);
        assert_true(history_take(&h, 1, line, &why));
    }
    char line[] = "op 99 - level A 20 30 ok 24 1 0 0";
    const char *why;
    assert_true(history_take(&h, 2, line, &why));
    assert_int_equal(search_check(&h, NULL, 0, &report), 1);
    assert_int_equal(report.len, 1);
    report_release(&report);
    history_release(&h);
}

static void what_is_no_record_is_not_taken(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "nonsense",
        "op",
        "op 1 a receive A 5 10 20",
        "op 1 a receive A 5 10 20 ok 1 1 5 0",
        "op 1 a receive A 5 10 20 ok 1 1 5 0 0 7",
        "op 1 a receive A x 10 20 ok 1 1 5 0 0",
        "op 1 a receive A 5 20 10 ok 1 1 5 0 0",
        "op 1 - receive A 5 10 20 ok 1 1 5 0 0",
        "op 1 a level A 10 20 ok 1 5 0 0",
        "op 1 a receive A 5 10 - ok 1 1 5 0 0",
        "op 1 a receive A 5 10 20 unknown",
        "op 1 a receive - 5 10 20 ok 1 1 5 0 0",
        "op 1 a receive A 5 10 20 refused short A:1",
        "op 1 a reserve 9000 A:1,A:2 10 20 ok 2 r1 9000",
        "op 1 a reserve 9000 A 10 20 ok 2 r1 9000",
        "op 1 a reserve 9000 A:1 10 20 refused short B:0",
        "op 1 a commit r1 10 20 ok 2 sold",
        "movement 0 receive A 5 0 0 5 0 0 1 - 1 a",
        "movement 1 receive A 5 0 0 5 0 0 1 - 1",
        "final A 1 5 0",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct history h;
        const char *why = NULL;
        char *line = memory_text(lines[i], strlen(lines[i]));
        history_init(&h);
        bool taken = history_take(&h, 1, line, &why);
        history_release(&h);
        free(line);
        if (taken) {
            print_message("taken: %s\n", lines[i]);
        }
        assert_false(taken);
        assert_non_null(why);
    }
}

/* Mutants: one number of an answer or of the log is another. */

struct words {
    char *at[32];
    size_t len;
};

static void split(char *line, struct words *out)
{
    out->len = 0;
    for (char *word; out->len < 32 && (word = strsep(&line, " ")) != NULL;) {
        out->at[out->len++] = word;
    }
}

/* Where the answer begins; a movement's numbers all count but its time, which may be another within bounds. */
static size_t first_answered(const struct words *w)
{
    for (size_t i = 0; i < w->len; i++) {
        if (strcmp(w->at[i], "ok") == 0 || strcmp(w->at[i], "refused") == 0) {
            return i + 1;
        }
    }
    return strcmp(w->at[0], "op") == 0 ? w->len : 1;
}

static bool is_number(const char *word)
{
    char *end;
    (void)strtol(word, &end, 10);
    return *word != '\0' && *end == '\0';
}

/* Where the number is that a word is or ends with (`A:3`); NULL: there is none. */
static char *number_in(char *word)
{
    char *colon = strrchr(word, ':');
    char *at = colon == NULL ? word : colon + 1;
    return is_number(at) ? at : NULL;
}

/* Writes the line with one of its numbers changed by a little; false: it has none. */
static bool mutate_line(char *line, uint64_t random, FILE *out)
{
    struct words w;
    size_t choices[32];
    size_t choices_len = 0;
    split(line, &w);
    size_t time = strcmp(w.at[0], "movement") == 0 ? w.len - 2 : w.len;
    for (size_t i = first_answered(&w); i < w.len; i++) {
        if (i != time && number_in(w.at[i]) != NULL) {
            choices[choices_len++] = i;
        }
    }
    if (choices_len == 0) {
        return false;
    }
    size_t chosen = choices[random % choices_len];
    for (size_t i = 0; i < w.len; i++) {
        char *number = i == chosen ? number_in(w.at[i]) : NULL;
        (void)fputs(i == 0 ? "" : " ", out);
        if (number == NULL) {
            (void)fputs(w.at[i], out);
            continue;
        }
        int64_t value = strtol(number, NULL, 10);
        int64_t by = 1 + (int64_t)(random >> 32) % 3;
        value = value >= by && (random >> 16) % 2 == 0 ? value - by : value + by;
        (void)fprintf(out, "%.*s%ld", (int)(number - w.at[i]), w.at[i], value);
    }
    (void)fputc('\n', out);
    return true;
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; (text = strchr(text, '\n')) != NULL; text++) {
        lines++;
    }
    return lines;
}

/* The text with one line changed; NULL: that line has nothing to change. free() gives it back. */
static char *mutant(const char *text, uint64_t random)
{
    char *copy = memory_text(text, strlen(text));
    char *rest = copy;
    char *changed = NULL;
    size_t len;
    FILE *out = open_memstream(&changed, &len);
    size_t chosen = random % count_lines(text);
    bool some = false;
    for (size_t i = 0; *rest != '\0'; i++) {
        char *line = strsep(&rest, "\n");
        if (i == chosen) {
            some = mutate_line(line, hash_mix(random), out);
        } else {
            (void)fprintf(out, "%s\n", line);
        }
    }
    (void)fclose(out);
    free(copy);
    if (!some) {
        free(changed);
        return NULL;
    }
    return changed;
}

/* By the witness check, or because it is no history any more: a seq of 0 is none. */
static bool is_rejected(const char *text, bool *out_by_search)
{
    struct history h;
    struct ledger l;
    struct report witness = {0};
    struct report search = {0};
    history_init(&h);
    FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    bool is_history = history_read(&h, in);
    (void)fclose(in);
    if (is_history) {
        ledger_init(&l, &h, &witness);
        witness_check(&l, &witness);
        *out_by_search = search_check(&h, NULL, SEARCH_MS_MAX, &search) == 0 && search.len > 0;
        ledger_release(&l);
    }
    bool rejected = !is_history || witness.len > 0;
    report_release(&witness);
    report_release(&search);
    history_release(&h);
    return rejected;
}

static void nearly_every_mutant_of_a_history_is_rejected(void **state)
{
    (void)state;
    size_t tried = 0;
    size_t rejected = 0;
    size_t searched = 0;
    for (uint64_t n = 1; tried < MUTANTS; n++) {
        char *text = generated(n % 100 + 1);
        char *changed = mutant(text, hash_mix(n));
        if (changed != NULL) {
            bool by_search = false;
            bool by_witness = is_rejected(changed, &by_search);
            tried++;
            rejected += by_witness;
            searched += by_search;
        }
        free(changed);
        free(text);
    }
    print_message("%zu of %zu mutants rejected, %zu by the search alone\n", rejected, tried, searched);
    assert_true(rejected * 1000 >= tried * REJECTED_PER_MILLE_MIN);
    assert_true(searched * 1000 >= tried * SEARCHED_PER_MILLE_MIN);
}

/* Running. */

static size_t add_bads(struct CMUnitTest *tests, const struct bads *all)
{
    for (size_t i = 0; i < all->len; i++) {
        tests[i] = (struct CMUnitTest){
            .name = all->rows[i].name,
            .test_func = it_is_rejected_by_the_check_that_is_for_it,
            .initial_state = &all->rows[i]};
    }
    return all->len;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s bad.txt\n", argv[0]);
        return 2;
    }
    struct bads all = {0};
    char *text = read_file(argv[1]);
    read_bads(text, &all);
    const struct CMUnitTest others[] = {
        cmocka_unit_test_prestate(there_are_many_bad_histories, &all),
        cmocka_unit_test(generated_histories_are_accepted_by_both_checks),
        cmocka_unit_test(search_finds_an_order_without_any_seq),
        cmocka_unit_test(search_that_gives_up_is_a_violation),
        cmocka_unit_test(what_is_no_record_is_not_taken),
        cmocka_unit_test(nearly_every_mutant_of_a_history_is_rejected),
    };
    size_t others_len = sizeof(others) / sizeof(others[0]);
    struct CMUnitTest *tests = memory_new(all.len + others_len, sizeof(*tests));
    size_t len = add_bads(tests, &all);
    memcpy(tests + len, others, sizeof(others));
    int failed = _cmocka_run_group_tests("history", tests, len + others_len, NULL, NULL);
    free(tests);
    free(all.rows);
    free(text);
    return failed;
}
