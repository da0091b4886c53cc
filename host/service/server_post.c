/*
 * From other threads into the event loop's: a list, and one wake-up for all that is in it.
 */
#include "server_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void wake(struct server *server)
{
	const uint64_t one = 1;

	/* A counter that is full has woken already. */
	while (write(server->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

void post_answered(struct server *server, struct exchange *exchange)
{
	bool first;

	exchange->next = NULL;
	pthread_mutex_lock(&server->mutex);
	first = !server->answered && !server->posts;
	*server->answered_tail = exchange;
	server->answered_tail = &exchange->next;
	pthread_mutex_unlock(&server->mutex);
	if (first)
		wake(server);
}

bool post_later(struct server *server, unsigned delay_ms, void (*run)(void *context), void *context)
{
	struct post *post = malloc(sizeof(*post));
	bool first;

	if (!post)
		return false;
	*post = (struct post){
		.run = run, .context = context, .delay_ms = delay_ms, .server = server};
	pthread_mutex_lock(&server->mutex);
	first = !server->answered && !server->posts;
	*server->posts_tail = post;
	server->posts_tail = &post->next;
	pthread_mutex_unlock(&server->mutex);
	if (first)
		wake(server);
	return true;
}

bool service_later(struct service *service, unsigned delay_ms, void (*run)(void *context),
		   void *context)
{
	return post_later(service->server, delay_ms, run, context);
}

static void run_post(struct post *post)
{
	post->run(post->context);
	free(post);
}

static void on_time(evutil_socket_t fd, short what, void *argument)
{
	struct post *post = argument;

	(void)fd;
	(void)what;
	*post->link = post->next;
	if (post->next)
		post->next->link = post->link;
	run_post(post);
}

/* Keeps it until its time has come. False: it cannot wait. */
static bool set_timer(struct server *server, struct post *post)
{
	struct timeval delay = {post->delay_ms / 1000, post->delay_ms % 1000 * 1000};

	if (evtimer_assign(&post->event, server->base, on_time, post) ||
	    evtimer_add(&post->event, &delay))
		return false;
	post->next = server->timed;
	post->link = &server->timed;
	if (post->next)
		post->next->link = &post->next;
	server->timed = post;
	return true;
}

static void run_posts(struct server *server, struct post *posts)
{
	while (posts) {
		struct post *post = posts;

		posts = post->next;
		if (post->delay_ms == 0 || !set_timer(server, post))
			run_post(post);
	}
}

static void on_wake(evutil_socket_t fd, short what, void *argument)
{
	struct server *server = argument;
	struct exchange *answered;
	struct post *posts;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&server->mutex);
	answered = server->answered;
	posts = server->posts;
	server->answered = NULL;
	server->answered_tail = &server->answered;
	server->posts = NULL;
	server->posts_tail = &server->posts;
	pthread_mutex_unlock(&server->mutex);
	while (answered) {
		struct exchange *exchange = answered;

		answered = exchange->next;
		exchange_answered(exchange);
	}
	run_posts(server, posts);
}

int post_open(struct server *server)
{
	pthread_mutex_init(&server->mutex, NULL);
	server->answered_tail = &server->answered;
	server->posts_tail = &server->posts;
	server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->wake_fd < 0) {
		fprintf(stderr, "simtied: eventfd: %s\n", strerror(errno));
		return -1;
	}
	server->wake =
		event_new(server->base, server->wake_fd, EV_READ | EV_PERSIST, on_wake, server);
	return server->wake && event_add(server->wake, NULL) == 0 ? 0 : -1;
}

void post_close(struct server *server)
{
	while (server->answered) {
		struct exchange *exchange = server->answered;

		server->answered = exchange->next;
		exchange_free(exchange);
	}
	while (server->posts) {
		struct post *post = server->posts;

		server->posts = post->next;
		free(post);
	}
	while (server->timed) {
		struct post *post = server->timed;

		server->timed = post->next;
		evtimer_del(&post->event);
		free(post);
	}
	if (server->wake)
		event_free(server->wake);
	if (server->wake_fd >= 0)
		close(server->wake_fd);
	pthread_mutex_destroy(&server->mutex);
}
