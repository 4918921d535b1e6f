#include "base/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/units.h"

#define RING_MAGIC 0x676e697272637274ull /* "trcrring" */
#define RING_VERSION 1u
#define RING_PAGE 4096u
#define RING_ALIGN 8u

/* A writer that is killed between two instructions leaves all stores before that point behind, in
 * order: so the order of the stores is all that the file's well-formedness needs. */
struct ring_head {
	uint64_t magic; /* written last when the ring is made */
	uint32_t version;
	uint32_t page; /* bytes before the data */
	uint64_t size; /* bytes of the data */
	uint64_t head; /* bytes ever written: the next record goes to head % size */
	uint64_t tail; /* bytes ever given up */
	struct ring_counters counters;
};

enum slot_mark { SLOT_RECORD = 0x64726365, SLOT_WRAP = 0x70617277 };

/* What precedes each record's data. Of a wrap marker only the first two fields are there: it can be
 * 8 bytes long. */
struct slot {
	uint32_t length; /* with this head, a multiple of RING_ALIGN */
	uint32_t mark;   /* enum slot_mark */
	uint64_t time;
	uint64_t aux;
	uint32_t kind;
	uint32_t size;
};

#define SLOT_MARKER offsetof(struct slot, time)

struct ring {
	struct ring_head *head;
	uint8_t *data;
	size_t mapped;
};

_Static_assert(sizeof(struct ring_head) <= RING_PAGE, "the head has one page");
_Static_assert(sizeof(struct slot) % RING_ALIGN == 0, "data starts aligned");

static void auto_ring(struct ring **ring)
{
	ring_free(*ring);
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

static uint64_t position_load(const uint64_t *position)
{
	return __atomic_load_n(position, __ATOMIC_ACQUIRE);
}

static void position_publish(uint64_t *position, uint64_t value)
{
	__atomic_store_n(position, value, __ATOMIC_RELEASE);
}

static int ring_map(struct ring **ret, int fd, size_t bytes, int protection, struct err *e)
{
	__attribute__((cleanup(auto_ring))) struct ring *ring = calloc(1, sizeof(*ring));
	void *map;

	if (!ring)
		return err_sys(e, "cannot map the ring");
	map = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return err_sys(e, "cannot map the ring");
	ring->head = map;
	ring->data = (uint8_t *)map + RING_PAGE;
	ring->mapped = bytes;
	*ret = take_ptr(ring);
	return 0;
}

static int ring_make(struct ring **ret, int fd, uint64_t size, struct err *e)
{
	int r = posix_fallocate(fd, 0, RING_PAGE + size);

	if (r) {
		errno = r;
		return err_sys(e, "no room for a ring of %s", size_text(size).text);
	}
	if (ring_map(ret, fd, RING_PAGE + size, PROT_READ | PROT_WRITE, e) < 0)
		return e->code;
	/* keeps it from being swapped out; where that is not granted, swapping is what there is */
	(void)!mlock((*ret)->head, (*ret)->mapped);
	(*ret)->head->version = RING_VERSION;
	(*ret)->head->page = RING_PAGE;
	(*ret)->head->size = size;
	position_publish(&(*ret)->head->magic, RING_MAGIC);
	return 0;
}

int ring_create(struct ring **ret, int dirfd, const char *path, uint64_t size, struct err *e)
{
	autoclose int fd = -1;

	if (size == 0 || size > INT64_MAX / 2)
		return err_set(e, "'%s': a ring cannot have %llu bytes", path,
			       (unsigned long long)size);
	fd = io_create(dirfd, path, e);
	if (fd < 0)
		return e->code;
	if (ring_make(ret, fd, round_up(size, RING_PAGE), e) < 0) {
		unlinkat(dirfd, path, 0);
		return err_wrap(e, "'%s'", path);
	}
	return 0;
}

/* Why the head cannot be a ring's in a file of BYTES, NULL if it can. */
static const char *head_fault(const struct ring_head *head, uint64_t bytes)
{
	uint64_t first = position_load(&head->tail), last = position_load(&head->head);

	if (position_load(&head->magic) != RING_MAGIC)
		return "it is not a ring";
	if (head->version != RING_VERSION || head->page != RING_PAGE)
		return "it is a ring of another version";
	if (head->size == 0 || head->size % RING_PAGE || head->size != bytes - RING_PAGE)
		return "its size is not the one that it was made with";
	if (first > last || last - first > head->size || first % RING_ALIGN || last % RING_ALIGN)
		return "its ends do not fit its size";
	return NULL;
}

int ring_open(struct ring **ret, int dirfd, const char *path, struct err *e)
{
	__attribute__((cleanup(auto_ring))) struct ring *ring = NULL;
	autoclose int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const char *fault;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)RING_PAGE)
		return err_set(e, "'%s': it is too short for a ring", path);
	if (ring_map(&ring, fd, st.st_size, PROT_READ, e) < 0)
		return err_wrap(e, "'%s'", path);
	fault = head_fault(ring->head, st.st_size);
	if (fault)
		return err_set(e, "'%s': %s", path, fault);
	*ret = take_ptr(ring);
	return 0;
}

void ring_free(struct ring *ring)
{
	if (!ring)
		return;
	if (ring->head)
		munmap(ring->head, ring->mapped);
	free(ring);
}

static uint64_t ring_bytes(const struct ring *ring)
{
	return ring->mapped - RING_PAGE;
}

/* Copies the slot at a position between tail and HEAD, and checks the copy: the writer may be at it
 * meanwhile. */
static bool ring_slot(const struct ring *ring, uint64_t position, uint64_t head, struct slot *slot)
{
	uint64_t size = ring_bytes(ring);
	uint64_t at = position % size;
	uint64_t room = head - position < size - at ? head - position : size - at;

	*slot = (struct slot) { 0 };
	if (room < SLOT_MARKER || at % RING_ALIGN)
		return false;
	memcpy(slot, ring->data + at, SLOT_MARKER);
	if (slot->mark == SLOT_WRAP)
		return slot->length == size - at && slot->length <= room;
	if (slot->mark != SLOT_RECORD || room < sizeof(*slot))
		return false;
	memcpy(slot, ring->data + at, sizeof(*slot));
	return slot->mark == SLOT_RECORD && slot->length <= room &&
	       slot->length == round_up(sizeof(*slot) + (uint64_t)slot->size, RING_ALIGN);
}

/* Gives up the oldest slot. A slot that is not well-formed takes the whole ring along: nothing can
 * follow it. */
static void ring_drop_oldest(struct ring *ring, const struct slot *slot, bool whole)
{
	struct ring_head *head = ring->head;

	if (!whole) {
		position_publish(&head->tail, head->head);
		return;
	}
	if (slot->mark == SLOT_RECORD) {
		head->counters.overwritten++;
		if (slot->time > head->counters.overwritten_until)
			head->counters.overwritten_until = slot->time;
	}
	position_publish(&head->tail, head->tail + slot->length);
}

static void ring_make_room(struct ring *ring, uint64_t bytes)
{
	struct ring_head *head = ring->head;
	struct slot slot;

	while (head->head + bytes - head->tail > ring_bytes(ring)) {
		bool whole = ring_slot(ring, head->tail, head->head, &slot);

		ring_drop_oldest(ring, &slot, whole);
	}
	/* a release holds back what came before it, not the record that is now to be written over
	 * the tail */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Fills what is left before the end with a marker, so that the next record is contiguous. */
static void ring_wrap(struct ring *ring, uint32_t rest)
{
	struct slot marker = { .length = rest, .mark = SLOT_WRAP };

	ring_make_room(ring, rest);
	memcpy(ring->data + ring->head->head % ring_bytes(ring), &marker, SLOT_MARKER);
	position_publish(&ring->head->head, ring->head->head + rest);
}

static void slot_write(uint8_t *to, const struct slot *slot, const struct iovec *iov, int iovcnt)
{
	memcpy(to, slot, sizeof(*slot));
	to += sizeof(*slot);
	for (int i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len)
			memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
}

static uint64_t iov_size(const struct iovec *iov, int iovcnt)
{
	uint64_t size = 0;

	for (int i = 0; i < iovcnt; i++)
		if (__builtin_add_overflow(size, iov[i].iov_len, &size))
			return UINT64_MAX;
	return size;
}

int ring_push(struct ring *ring, const struct ring_record *record, const struct iovec *iov,
	      int iovcnt)
{
	uint64_t size = iov_size(iov, iovcnt), bytes = ring_bytes(ring), length, at;
	struct slot slot = {
		.mark = SLOT_RECORD, .time = record->time, .aux = record->aux, .kind = record->kind
	};

	if (size > bytes || size > UINT32_MAX - sizeof(slot) - RING_ALIGN)
		return -EMSGSIZE;
	length = round_up(sizeof(slot) + size, RING_ALIGN);
	if (length > bytes)
		return -EMSGSIZE;
	slot.length = length;
	slot.size = size;
	at = ring->head->head % bytes;
	if (length > bytes - at)
		ring_wrap(ring, bytes - at);
	ring_make_room(ring, length);
	slot_write(ring->data + ring->head->head % bytes, &slot, iov, iovcnt);
	position_publish(&ring->head->head, ring->head->head + length);
	ring->head->counters.pushed++;
	ring->head->counters.bytes += size;
	return 0;
}

void ring_evict_before(struct ring *ring, uint64_t time)
{
	struct ring_head *head = ring->head;

	while (head->tail < head->head) {
		struct slot slot;
		bool whole = ring_slot(ring, head->tail, head->head, &slot);

		if (whole && slot.mark == SLOT_RECORD && slot.time >= time)
			return;
		ring_drop_oldest(ring, &slot, whole);
	}
}

struct ring_counters *ring_counters(struct ring *ring)
{
	return &ring->head->counters;
}

uint64_t ring_size(const struct ring *ring)
{
	return ring_bytes(ring);
}

int ring_next(const struct ring *ring, uint64_t *cursor, struct ring_record *record)
{
	/* the head first: a tail that moved on meanwhile only makes the walk shorter */
	uint64_t head = position_load(&ring->head->head), tail = position_load(&ring->head->tail);
	uint64_t at = *cursor < tail ? tail : *cursor;
	struct slot slot;

	if (at >= head || head - at > ring_bytes(ring) || !ring_slot(ring, at, head, &slot))
		return 0;
	if (slot.mark == SLOT_WRAP) {
		at += slot.length;
		if (at >= head || !ring_slot(ring, at, head, &slot) || slot.mark != SLOT_RECORD)
			return 0;
	}
	*record = (struct ring_record) {
		.time = slot.time,
		.kind = slot.kind,
		.size = slot.size,
		.aux = slot.aux,
		.data = ring->data + at % ring_bytes(ring) + sizeof(slot),
	};
	*cursor = at + slot.length;
	return 1;
}
