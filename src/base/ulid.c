#include "base/ulid.h"

#include <sodium.h>

#include "base/units.h"

void ulid_make(char id[ULID_SIZE], uint64_t wall_ns)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford's */
	uint64_t ms = wall_ns / NS_PER_MS;
	uint8_t random[16];

	for (int i = 9; i >= 0; i--, ms >>= 5)
		id[i] = digits[ms & 31];
	randombytes_buf(random, sizeof(random));
	for (int i = 0; i < 16; i++)
		id[10 + i] = digits[random[i] & 31];
	id[26] = '\0';
}
