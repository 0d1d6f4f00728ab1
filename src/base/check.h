/*
 * Assertions that stay on in every build, and the few attributes used everywhere.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

/* A bug when false: prints the expression and place to stderr and aborts. Never for bad input or failed I/O. */
#define check(expr) ((expr) ? (void)0 : check_failed(#expr, __FILE__, __LINE__))

/* A branch that no state can reach. */
#define unreachable(why) check_failed("unreachable: " why, __FILE__, __LINE__)

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

_Noreturn void check_failed(const char *what, const char *file, int line);

#endif
