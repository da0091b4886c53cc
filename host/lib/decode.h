/*
 * Explains what goes over the line: command APDUs, data objects and status words, by name, from the
 * contract's tables.
 *
 * Owns the decision of what is secret in an APDU, and errs on the side of blanking: data of a
 * command that carries secrets and cannot be read as the contract says is secret whole. Refuses to
 * show a secret unless it is told to. Allocates nothing, sends nothing, keeps no pointer of its
 * caller's but in the structures that it fills.
 */
#ifndef SIMTIE_DECODE_H
#define SIMTIE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apdu.h"
#include "bytes.h"
#include "contract.h"

/* A command APDU taken apart. */
struct decode_command {
	enum command_id command; /* COMMAND_NONE: the contract does not know it */
	const char *name;        /* "VERIFY PIN"; "unknown command" (static) */
	bool malformed;   /* none of the cases 1 to 4 (ISO/IEC 7816-3 §12.1); apdu.data is then
			   * all that follows the header, which may be cut short too */
	struct apdu apdu; /* its data lies within what was given */
	struct apdu_class class;
	enum secret secret; /* what of the data is secret */
	enum secret secret_response;
};

/* Takes an APDU of any length apart. Never fails; what cannot be read is said to be malformed. */
void decode_command(struct bytes apdu, struct decode_command *command);

/* The same where that application is selected. decode_command() takes an instruction that both know
 * for the attestation applet's. */
void decode_command_of(enum application application, struct bytes apdu,
		       struct decode_command *command);

/* What P1 (which = 1) or P2 (2) means. Static; NULL when the contract has no text for it. */
const char *decode_parameter(const struct decode_command *command, int which);

/* One BER-TLV object. */
struct decode_object {
	unsigned depth;         /* 0: in the data field itself */
	uint16_t tag;           /* as its bytes stand: 0xBF22 */
	const char *name;       /* "PIN_STATE"; NULL: the contract does not know it here */
	const char *text;       /* what it is; NULL as above */
	enum tag_format format; /* FORMAT_HEX when unknown */
	bool secret;
	bool template; /* its objects follow, one deeper */
	struct bytes value;
};

#define DECODE_DEPTH_MAX 8 /* templates within templates; deeper ones are shown as bytes */

/* A walk over the objects of a data field. */
struct decode_walk {
	enum command_id command;
	bool response;
	enum secret secret;
	unsigned depth;
	struct {
		uint16_t template;
		struct bytes rest;
	} level[DECODE_DEPTH_MAX + 1];
};

enum decode_step {
	DECODE_OBJECT, /* *object is filled in */
	DECODE_END,    /* no more */
	DECODE_BROKEN, /* the rest of this template, object->value, is not BER-TLV; go on after it
			*/
};

/* Whether a command's data or response is made of objects, by the contract. */
bool decode_has_objects(enum command_id command, bool response);

/* Whether the data ends in the middle of an object. */
bool decode_is_broken(enum command_id command, bool response, struct bytes data);

/* Starts a walk over the data of a command, or over its response. */
void decode_walk(struct decode_walk *walk, enum command_id command, bool response,
		 struct bytes data);
enum decode_step decode_next(struct decode_walk *walk, struct decode_object *object);

/*
 * What is secret in a command APDU, or in the data of the response to `command`: `visit` is called
 * for each run of secret bytes, in their order.
 *
 * Wider than the contract in one point: an instruction on PINs and passwords counts in any class,
 * since other cards know more of them than simtie. Under secure messaging, which may leave data in
 * clear and puts a MAC behind it, all of it is secret if anything could be. `part` says that the
 * data does not begin and end with its objects (the last link of a command chain, a piece of a
 * response): if anything in it could be secret, all of it is. The same holds when it ends in the
 * middle of an object.
 */
typedef void decode_visit(void *context, struct bytes secret);
void decode_secrets(struct bytes apdu, bool part, decode_visit *visit, void *context);
void decode_response_secrets(const struct decode_command *command, struct bytes data, bool part,
			     decode_visit *visit, void *context);

/* ---- As text. All of these return `out`, cut to `size` bytes with "..." at the end. ---- */

/* Bytes in upper-case hexadecimal, those that are secret as "**". For a command, the whole APDU;
 * for a response, its data without status word, `command` being what it answers. */
char *decode_show_command(struct bytes apdu, bool part, bool show_secrets, char *out, size_t size);
char *decode_show_response(const struct decode_command *command, struct bytes data, bool part,
			   bool show_secrets, char *out, size_t size);

/* The value of an object in its format, safe for a terminal. */
char *decode_show_value(const struct decode_object *object, bool show_secrets, char *out,
			size_t size);

/* ---- Status words; the texts are cut to `size` bytes ---- */

/* "TRIES_LEFT"; "UNKNOWN". Static. */
const char *decode_status_name(uint16_t sw);

/* "done; 17 more bytes wait for GET RESPONSE": the contract's text with the number filled in. */
char *decode_status_text(uint16_t sw, char *out, size_t size);

/* The contract's advice, the digits filled in; "" when there is none. */
char *decode_status_advice(uint16_t sw, char *out, size_t size);

#endif
