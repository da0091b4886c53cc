/*
 * For LD_PRELOAD: numbers the calls of a program that change files, and at the one of $FAIL_AT lets
 * it fail with EIO ($FAIL_HOW "fail"), kills the program just before ("before") or just after it
 * ("after"), or interrupts it ("interrupt"). Says "not reached" at the end when there were fewer.
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int calls;

static int number(void)
{
	const char *text = getenv("FAIL_AT");

	return text ? atoi(text) : 0;
}

static int how(const char *name)
{
	const char *text = getenv("FAIL_HOW");

	return text && strcmp(text, name) == 0;
}

/* Whether this call shall fail. */
static int hit(void)
{
	if (++calls != number())
		return 0;
	if (how("before"))
		raise(SIGKILL);
	if (how("interrupt"))
		raise(SIGINT);
	errno = EIO;
	return how("fail");
}

static void done(void)
{
	if (calls == number() && how("after"))
		raise(SIGKILL);
}

__attribute__((destructor)) static void say(void)
{
	if (calls < number())
		fputs("not reached\n", stderr);
}

/* Puts a call in the place of the C library's. */
#define WRAP(type, name, parameters, arguments)                                                    \
	type name parameters;                                                                      \
	type name parameters                                                                       \
	{                                                                                          \
		type(*real) parameters;                                                            \
		type result;                                                                       \
                                                                                                   \
		*(void **)&real = dlsym(RTLD_NEXT, #name);                                         \
		result = hit() ? -1 : real arguments;                                              \
		done();                                                                            \
		return result;                                                                     \
	}

WRAP(ssize_t, write, (int fd, const void *bytes, size_t len), (fd, bytes, len))
WRAP(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, rename, (const char *from, const char *to), (from, to))
WRAP(int, renameat, (int at, const char *from, int to_at, const char *to), (at, from, to_at, to))
WRAP(int, renameat2, (int at, const char *from, int to_at, const char *to, unsigned flags),
     (at, from, to_at, to, flags))
WRAP(int, link, (const char *from, const char *to), (from, to))
