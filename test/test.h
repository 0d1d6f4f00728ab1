/*
 * cmocka with its needed headers, and the names used in all C tests. A test is a sentence:
 * static void hold_is_refused_when_stock_is_short(void **state)
 */
#ifndef TEST_TEST_H
#define TEST_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first */
#include <cmocka.h>

#endif
