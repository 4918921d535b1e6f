/* The numbers of the pcapng format that we write and read. */
#pragma once

enum pcapng_block_type {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_COUNTS = 5,
	BLOCK_PACKET = 6,
};

#define SECTION_ORDER 0x1a2b3c4du

enum pcapng_option {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	SECTION_HARDWARE = 2,
	SECTION_OS = 3,
	SECTION_APPLICATION = 4,
	INTERFACE_NAME = 2,
	INTERFACE_RESOLUTION = 9,
	INTERFACE_FILTER = 11,
	COUNTS_FROM = 2,
	COUNTS_TO = 3,
	COUNTS_RECEIVED = 4,
	COUNTS_DROPPED_BY_SYSTEM = 7,
};
