#pragma once

#define TRACER_VERSION "1.0"
