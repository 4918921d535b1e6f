#include "condition/obligations.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct obligations {
	struct obligation *pool;
	uint32_t *buckets; /* the first of each chain */
	uint32_t mask;     /* buckets are a power of two */
	uint32_t max;
	uint32_t n;
	uint32_t free; /* chained by `next` */
	uint32_t oldest, newest;
	uint64_t dropped;
};

static void obligations_clear(struct obligations *o)
{
	memset(o->buckets, 0xff, (o->mask + 1ull) * sizeof(*o->buckets));
	for (uint32_t i = 0; i < o->max; i++)
		o->pool[i].next = i + 1 < o->max ? i + 1 : NONE;
	o->free = 0;
	o->oldest = o->newest = NONE;
}

int obligations_create(struct obligations **ret, uint32_t max, struct err *e)
{
	struct obligations *o = calloc(1, sizeof(*o));
	uint64_t buckets = 2;

	while (buckets < max * 2ull)
		buckets *= 2;
	if (!o)
		return err_set(e, "no memory");
	o->max = max;
	o->mask = buckets - 1;
	o->pool = calloc(max, sizeof(*o->pool));
	o->buckets = malloc(buckets * sizeof(*o->buckets));
	if (!o->pool || !o->buckets) {
		obligations_free(o);
		return err_set(e, "no memory for %u keys", max);
	}
	obligations_clear(o);
	*ret = o;
	return 0;
}

void obligations_free(struct obligations *o)
{
	if (!o)
		return;
	free(o->pool);
	free(o->buckets);
	free(o);
}

/* Eight bytes at a time; the rest of a key is zero. */
static uint32_t *bucket_of(const struct obligations *o, const struct key *key)
{
	uint64_t hash = key->size, word;

	for (uint32_t at = 0; at < key->size; at += sizeof(word)) {
		memcpy(&word, key->data + at, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 32;
	}
	return &o->buckets[hash & o->mask];
}

struct obligation *obligations_find(const struct obligations *o, const struct key *key)
{
	for (uint32_t i = *bucket_of(o, key); i != NONE; i = o->pool[i].next)
		if (o->pool[i].key.size == key->size &&
		    !memcmp(o->pool[i].key.data, key->data, key->size))
			return &o->pool[i];
	return NULL;
}

struct obligation *obligations_oldest(const struct obligations *o)
{
	return o->oldest == NONE ? NULL : &o->pool[o->oldest];
}

void obligations_close(struct obligations *o, struct obligation *obligation)
{
	uint32_t index = obligation - o->pool, *link = bucket_of(o, &obligation->key);

	while (*link != index)
		link = &o->pool[*link].next;
	*link = obligation->next;
	*(obligation->older == NONE ? &o->oldest : &o->pool[obligation->older].newer) =
		obligation->newer;
	*(obligation->newer == NONE ? &o->newest : &o->pool[obligation->newer].older) =
		obligation->older;
	obligation->next = o->free;
	o->free = index;
	o->n--;
}

static void obligations_append(struct obligations *o, uint32_t index)
{
	struct obligation *new = &o->pool[index];
	uint32_t *bucket = bucket_of(o, &new->key);

	new->next = *bucket;
	*bucket = index;
	new->older = o->newest;
	new->newer = NONE;
	*(o->newest == NONE ? &o->oldest : &o->pool[o->newest].newer) = index;
	o->newest = index;
	o->n++;
}

struct obligation *obligations_open(struct obligations *o, const struct key *key, uint64_t since)
{
	uint32_t index;

	if (obligations_find(o, key))
		return NULL;
	if (o->free == NONE) {
		o->dropped++;
		return NULL;
	}
	index = o->free;
	o->free = o->pool[index].next;
	o->pool[index].key = *key;
	o->pool[index].since = since;
	o->pool[index].uncertain = false;
	obligations_append(o, index);
	return &o->pool[index];
}

uint32_t obligations_count(const struct obligations *o)
{
	return o->n;
}

uint64_t obligations_dropped(const struct obligations *o)
{
	return o->dropped;
}
