# make            builds ./tracer
# make check      installs what is missing, builds, runs every test; ends with "N passed, N failed"
# make demo       a capture from arming to the bundle, on a server and a client that go wrong
# make bench      measures, side by side with its peers
# make lint       clang-tidy and cppcheck
# make vm         runs tests on the distribution's own kernel, in a virtual machine
# make mutants    shows that check fails for each of tests/mutants
# make freeze     freezes file systems for 30 s, with samples ten times a second
# make faults     kills each process in each stage
CC = gcc
BUILD = build
CFLAGS = -O2 -g
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wno-missing-field-initializers
PACKAGES = lua5.4 libtracefs libtraceevent libpcap libarchive jansson libpcre2-8 libcap-ng libseccomp libsodium libelf libmnl
PREFIX = /usr/local

ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -fvisibility=hidden -Isrc $(WARNINGS) \
	$(shell pkg-config --cflags $(PACKAGES) 2>/dev/null) $(CFLAGS) $(SANITIZE)
LIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

SOURCES = $(wildcard src/*.c src/*/*.c)
OBJECTS = $(SOURCES:src/%.c=$(BUILD)/%.o) $(BUILD)/embedded.o
LIBRARY = $(filter-out $(BUILD)/main.o,$(OBJECTS))
UNITS = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*.c tests/unit/*/*.c))
MANUAL = $(BUILD)/doc/tracer.1 $(BUILD)/doc/tracer-recipe.5 $(BUILD)/doc/tracer-bundle.5
PROVOKERS = $(patsubst tests/provoke/%.c,$(BUILD)/provoke/%,$(filter-out tests/provoke/events.c,$(wildcard tests/provoke/*.c)))

.PHONY: all manual check deps units sanitized e2e provoke clang demo lint bench vm mutants faults freeze install clean

all: tracer manual

tracer: $(BUILD)/tracer
	@cp -f $< $@

$(BUILD)/tracer: $(OBJECTS)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/embedded.c: lua/embed.sh $(wildcard lua/*.lua)
	@mkdir -p $(@D)
	sh lua/embed.sh $(wildcard lua/*.lua) >$@

$(BUILD)/embedded.o: $(BUILD)/embedded.c
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/libtracer.a: $(LIBRARY)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libtracer.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests/unit -MMD -MP -o $@ $< $(BUILD)/libtracer.a $(LIBS) -lcmocka

$(BUILD)/provoke/scoutfsd: tests/provoke/events.c
$(BUILD)/provoke/%: tests/provoke/%.c $(wildcard tests/provoke/*.h)
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -O2 -g -o $@ $(filter %.c,$^)

# The page of the recipe language has the constructors from the program itself.
$(BUILD)/doc/reference: doc/reference.c $(BUILD)/libtracer.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/doc/reference.man: $(BUILD)/doc/reference
	$< >$@.new && mv $@.new $@

$(BUILD)/doc/%: doc/%.in doc/fill.awk $(BUILD)/doc/reference.man $(wildcard doc/examples/*.lua doc/examples/*/*.lua)
	awk -v doc=doc -v made=$(BUILD)/doc -f doc/fill.awk $< >$@.new && mv $@.new $@

$(BUILD)/doc/%: doc/%
	@mkdir -p $(@D)
	@cp $< $@

manual: $(MANUAL)

deps:
	@sh contrib/deps.sh install build test dev

units: $(UNITS)
provoke: $(PROVOKERS)

# Everything is built a second time with sanitizers, and a third time with the other compiler.
sanitized:
	@$(MAKE) --no-print-directory BUILD=build/sanitized CFLAGS="-O1 -g -Werror" \
		SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer" units
clang:
	@$(MAKE) --no-print-directory BUILD=build/clang CC=clang CFLAGS="-O2 -g -Werror" build/clang/tracer

check: deps
	@$(MAKE) --no-print-directory -j2 CFLAGS="$(CFLAGS) -Werror" all units provoke >build.log 2>&1 || { cat build.log; exit 1; }
	@$(MAKE) --no-print-directory -j2 sanitized clang >>build.log 2>&1 || { cat build.log; exit 1; }
	@tests/run -v -j 3 $(UNITS) $(UNITS:$(BUILD)/%=build/sanitized/%) $(wildcard tests/e2e/*.t)

lint:
	@cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr --std=c11 \
		--suppress=missingIncludeSystem --suppress=memleak --suppress=resourceLeak --suppress=internalAstError \
		--suppress=unknownMacro -D_GNU_SOURCE -Isrc -j2 src
	@ls $(SOURCES) | xargs -P2 -n8 sh -c 'clang-tidy --quiet "$$@" -- $(ALL_CFLAGS) 2>/dev/null' lint

demo:
	@sh contrib/deps.sh install build demo
	@$(MAKE) --no-print-directory -j2 all provoke >build.log 2>&1 || { cat build.log; exit 1; }
	@bash contrib/demo.sh

vm: all provoke
	@sh contrib/deps.sh install test vm
	@TEST_LIMIT=1200 tests/run -v tests/vm/vm.t

mutants: all units provoke
	@TEST_LIMIT=5400 tests/run -v tests/mutants/run

faults: all provoke
	@FAULTS=all TEST_LIMIT=3600 tests/run -v tests/e2e/faults.t

freeze: all provoke
	@FREEZE_MS=30000 FREEZE_EVERY=100ms TEST_LIMIT=300 tests/run -v tests/e2e/freeze.t

bench: all provoke $(BUILD)/bench/judge $(BUILD)/bench/decide $(BUILD)/bench/memory
	@bash tests/bench/run

$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/libtracer.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -o $@ $< $(BUILD)/libtracer.a $(LIBS)

install: tracer manual
	install -D -m 755 tracer $(DESTDIR)$(PREFIX)/bin/tracer
	install -d $(DESTDIR)$(PREFIX)/share/tracer/recipes
	install -m 644 recipes/*.lua $(DESTDIR)$(PREFIX)/share/tracer/recipes
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 $(BUILD)/doc/tracer.1
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 $(BUILD)/doc/tracer-recipe.5 $(BUILD)/doc/tracer-bundle.5
	install -D -m 644 contrib/completion/tracer.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tracer
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system contrib/tracer@.service

clean:
	rm -rf build tracer build.log

-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d $(BUILD)/*/*/*.d)
