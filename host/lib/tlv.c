#include "tlv.h"

#include "ber.h"

static struct tlv_field *find(struct tlv_field *fields, size_t count, uint16_t tag)
{
	for (size_t i = 0; i < count; i++)
		if (fields[i].tag == tag)
			return &fields[i];
	return NULL;
}

bool tlv_read(struct bytes data, struct tlv_field *fields, size_t count)
{
	struct ber object;

	for (size_t i = 0; i < count; i++)
		fields[i].value = bytes_of(NULL, 0);
	while (data.len > 0) {
		struct tlv_field *field;

		if (!ber_next(&data, &object))
			return false;
		field = find(fields, count, object.tag);
		if (!field || field->value.ptr)
			return false;
		if (object.value.len < field->min || object.value.len > field->max)
			return false;
		field->value = object.value;
	}
	for (size_t i = 0; i < count; i++)
		if (!fields[i].value.ptr && !fields[i].optional)
			return false;
	return true;
}

bool tlv_only(struct bytes data, uint16_t tag, struct bytes *value)
{
	struct ber object;

	if (!ber_next(&data, &object) || object.tag != tag || data.len > 0)
		return false;
	*value = object.value;
	return true;
}
