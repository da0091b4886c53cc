#include "simtie-service.h"

const char *simtie_service_strerror(int error)
{
	switch ((enum simtie_service_error)error) {
	case SIMTIE_SERVICE_OK:
		return "done";
	case SIMTIE_SERVICE_ERR_ARGUMENT:
		return "a value is out of its range";
	case SIMTIE_SERVICE_ERR_FILE:
		return "a certificate or key file cannot be read, or holds none; see that it is "
		       "there "
		       "and in PEM form";
	case SIMTIE_SERVICE_ERR_FORMAT:
		return "this is no such message or file, or not in the one form that is accepted";
	case SIMTIE_SERVICE_ERR_KEY:
		return "it was made for another key, or by one that is not trusted; fetch the "
		       "other "
		       "side's certificate anew";
	case SIMTIE_SERVICE_ERR_SIGNATURE:
		return "the signature or the seal does not hold: something was changed on the way";
	case SIMTIE_SERVICE_ERR_AUDIENCE:
		return "it was made for another audience, challenge, list or issuer";
	case SIMTIE_SERVICE_ERR_TIME:
		return "it is not valid yet, or no more; see that the clock is right, and fetch it "
		       "anew";
	case SIMTIE_SERVICE_ERR_REVOKED:
		return "it was revoked; ask for a new registration";
	case SIMTIE_SERVICE_ERR_SIZE:
		return "it is larger than the room for it";
	case SIMTIE_SERVICE_ERR_LIBRARY:
		return "out of memory, or OpenSSL failed";
	case SIMTIE_SERVICE_ERR_TOKEN:
		return "the attestation was not made by the SIM that the credential is for; "
		       "register nobody";
	}
	return "unknown error";
}
