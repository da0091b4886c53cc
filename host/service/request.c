/*
 * Replies: bodies, and errors in the one form that they all have.
 */
#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void reply_clear(struct reply *reply)
{
	json_decref(reply->body);
	free(reply->text);
	memset(reply, 0, sizeof(*reply));
}

int reply_error(struct reply *reply, unsigned status, const char *code, const char *format, ...)
{
	char message[512];
	va_list arguments;
	json_t *body;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	body = json_pack("{s:i, s:s, s:s}", "status", (int)status, "code", code, "message",
			 message);
	reply_clear(reply);
	reply->status = status;
	reply->body = body;
	return DB_OK;
}

int reply_json(struct reply *reply, unsigned status, json_t *body)
{
	if (!body)
		return reply_error(reply, 500, "INTERNAL", "out of memory: try again later");
	reply_clear(reply);
	reply->status = status;
	reply->body = body;
	return DB_OK;
}
