# GNU make; all that is made stands in $(BUILD).  "make help" tells the rest.

SHELL      = /bin/bash
MAKEFLAGS += --no-builtin-rules --no-print-directory

BUILD     ?= build
NGINX_SRC ?= /usr/share/nginx/src
RUNDIR    ?= $(BUILD)/run
PREFIX    ?= /usr/local
VECTORS   ?= t/vectors

ifeq ($(origin CC),default)
CC         = gcc
endif

out       := $(abspath $(BUILD))
tree      := $(out)/nginx

# a whole source tree gives the nginx to run, too; Debian's has no core
ifneq ($(wildcard $(NGINX_SRC)/src/core/nginx.c),)
binary    := objs/nginx
export NGINX_BINARY := $(tree)/$(binary)
endif

addons    := ngx_mesh_relay_module ngx_gateway_select_module
test_addon := $(wildcard t/lib/ngx_mesh_test_module)
quiet     := $(if $(V),,-s)

export BUILD := $(out)
export NGINX_SRC RUNDIR SANITIZE

# nginx stands where a user's own path does not lead
export PATH := $(PATH):/usr/sbin

.SECONDARY:
.PHONY: all modules test-module meshctl run stop test test-hup test-valgrind \
        test-asan fuzz bench sim lint matrix vectors install clean help FORCE
.DELETE_ON_ERROR:

all: modules programs

help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST))

#: make                  both modules and meshctl, in build/
#: make run              a demo on loopback; DATADIR=dir: an edge of that
#:                       mesh client's data directory; GATEWAY=dir: a gateway
#:                       by its gateway.conf, on PORT=8080
#:                       (RUNDIR=dir REDIS=host:port WORKERS=n)
#: make stop             ends it
#: make test             all tests (T='t/file.t ...': these only)
#: make test-hup         the same over reloads
#: make test-valgrind    the same under valgrind
#: make test-asan        the same with ASan and UBSan in the modules
#: make fuzz             each fuzzer for FUZZ_SECONDS (60)
#: make sim              ranking beside other policies: a table, and the
#:                       plot t/sim/ranking.svg
#: make bench            CPU, latency and memory of a relay, of a pick and
#:                       of a call through a gateway
#: make lint             warnings of gcc and clang, style, shellcheck
#: make matrix           builds with gcc and clang, of each tree in
#:                       MATRIX='dir ...'
#: make vectors          VECTORS=dir: the vector files of a folder
#: make install          modules, includes, meshctl (DESTDIR, PREFIX)
#: make clean
#:
#: NGINX_SRC=dir builds against another source tree than the Debian package's.


# The environment: packages, compiler flags, versions.  Whatever is built
# depends on this file, which changes only when one of them does.

ifneq ($(filter-out help clean stop,$(or $(MAKECMDGOALS),all)),)
include $(out)/env.mk
endif

$(out)/env.mk: FORCE
	@mkdir -p $(@D)
	@t/lib/packages build
	@CC='$(CC)' SANITIZE='$(SANITIZE)' t/lib/environment > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi


# The modules, by nginx's own build.

include_list = $(shell . shared/sources && for f in $$$(1); do echo $$f; done)
pocket_sources := $(call include_list,pocket_sources)
gateway_dir    := ngx_gateway_select_module
gateway_list   := $(shell . $(gateway_dir)/sources && echo $$gateway_sources)
gateway_sources := $(gateway_list:%=$(gateway_dir)/%)

tree_flags = --with-cc='$(CC)' --with-cc-opt='$(CC_FLAGS)' \
             --with-ld-opt='$(LD_FLAGS)'

$(tree)/objs/Makefile: $(out)/env.mk shared/sources shared/config \
                       $(gateway_dir)/sources \
                       $(addons:%=%/config) $(test_addon:%=%/config)
	@t/lib/configure $(tree) $(tree_flags) \
	    $(patsubst %,--add-dynamic-module=$(CURDIR)/%,$(addons) $(test_addon))

modules: $(tree)/objs/Makefile
	@$(MAKE) $(quiet) -C $(tree) -f objs/Makefile \
	    $(addons:%=objs/%.so) $(binary)
	@t/lib/place $(addons:%=$(tree)/objs/%.so) $(out)

# after the modules: both link objects of one tree
test-module: modules
ifneq ($(test_addon),)
	@$(MAKE) $(quiet) -C $(tree) -f objs/Makefile objs/ngx_mesh_test_module.so
	@t/lib/place $(tree)/objs/ngx_mesh_test_module.so $(out)/test
endif


# Programs of plain C: the command line tool, unit tests, benchmarks.

c_flags  = $(CC_FLAGS) -std=gnu11 -Ishared -I$(gateway_dir)
c_libs   = $(LD_FLAGS) -lyajl -lsodium -lhiredis -lssl -lcrypto -lm -lpthread

pocket_objs := $(pocket_sources:%.c=$(out)/obj/shared/%.o)
gateway_objs := $(gateway_sources:%.c=$(out)/obj/%.o)
cli_objs    := $(patsubst %.c,$(out)/obj/%.o,$(wildcard shared/cli/*.c))
demo_objs   := $(patsubst %.c,$(out)/obj/%.o,$(wildcard shared/cli/demo/*.c))
sim_objs    := $(patsubst %.c,$(out)/obj/%.o,$(wildcard t/sim/*.c))
vector_objs := $(patsubst %.c,$(out)/obj/%.o,$(wildcard t/unit/vectors*.c))

programs    := $(if $(cli_objs),$(out)/meshctl) \
               $(if $(demo_objs),$(out)/meshdemo)
unit_tests  := $(patsubst t/unit/%.c,$(out)/unit/%,$(wildcard t/unit/test_*.c))
unit_tests  += $(if $(vector_objs),$(out)/unit/vectors)
benches     := $(patsubst t/bench/%.c,$(out)/bench/%,$(wildcard t/bench/*.c))

.PHONY: programs
programs: $(programs)

meshctl: $(out)/meshctl

compile = @mkdir -p $(@D) && $(if $(V),set -x;) $(CC) $(c_flags)
link    = @mkdir -p $(@D) && $(if $(V),set -x;) $(CC) -o $@ $^ $(c_libs)

$(out)/obj/%.o: %.c $(out)/env.mk
	$(compile) -I$(<D) -MMD -MP -c -o $@ $<

$(out)/meshctl: $(cli_objs) $(pocket_objs)
	$(link)

$(out)/meshdemo: $(demo_objs) $(out)/obj/shared/cli/cli_mem.o $(pocket_objs)
	$(link)

$(out)/unit/vectors: $(vector_objs) $(pocket_objs)
	$(link)

$(out)/unit/%: $(out)/obj/t/unit/%.o $(out)/obj/t/unit/test.o \
               $(gateway_objs) $(pocket_objs)
	$(link) -lpsl

$(out)/bench/%: $(out)/obj/t/bench/%.o $(gateway_objs) $(pocket_objs)
	$(link) -lpsl

$(out)/sim/gateway: $(sim_objs) $(gateway_objs) $(pocket_objs)
	$(link) -lpsl

-include $(shell find $(out)/obj -name '*.d' 2>/dev/null)


# Fuzzers: clang, each with the pure layer and what its "Links:" comment
# names.  Those that link core's own parsers need a whole nginx tree.

FUZZ_SECONDS ?= 60
fuzz_cc     = clang -g -O1 -fsanitize=fuzzer,address,undefined \
              -fno-sanitize-recover=undefined -Wall -Wextra \
              -Wno-unused-parameter -Ishared -I$(gateway_dir) -It/fuzz \
              $(addprefix -isystem $(tree)/,objs $(nginx_incs))
nginx_incs  = src/core src/event src/event/modules src/os/unix src/http \
              src/http/modules src/http/v2
fuzz_links  = $(patsubst nginx/%,$(tree)/%,$(shell sed -n \
              's/^ \* Links: //p' $(1)))
fuzz_files := $(wildcard t/fuzz/fuzz_*.c)
fuzz_core  := $(if $(fuzz_files),$(shell grep -l 'Links:.*nginx/' \
              $(fuzz_files)))
fuzz_left  := $(if $(binary),,$(fuzz_core))
fuzzers    := $(patsubst t/fuzz/%.c,$(out)/%,\
              $(filter-out $(fuzz_left),$(fuzz_files)))

$(out)/fuzz_%: t/fuzz/fuzz_%.c $(pocket_sources:%=shared/%) \
               $(gateway_sources) $(tree)/objs/Makefile \
               $(wildcard shared/*.[ch] $(gateway_dir)/gateway_*.h t/fuzz/*.h)
	@$(if $(V),set -x;) $(fuzz_cc) -o $@ $< $(call fuzz_links,$<) \
	    $(pocket_sources:%=shared/%) $(gateway_sources) \
	    -lyajl -lsodium -lhiredis -lssl -lcrypto -lpsl -lm

.PHONY: fuzz-run
fuzz-run: $(fuzzers)
	@$(if $(fuzz_left),echo "left out (NGINX_SRC=dir is to be a whole tree):" \
	    $(fuzz_left))
	@t/lib/fuzz $(FUZZ_SECONDS) $(fuzzers)

fuzz:
	@t/lib/packages fuzz
	@$(MAKE) BUILD=$(out)/fuzz fuzz-run


# Running, testing.

run: all
	@t/lib/packages run
	@shared/cli/run

stop:
	@shared/cli/stop

.PHONY: test-build
test-build: all test-module $(unit_tests) $(out)/sim/gateway
	@t/lib/packages run test

test: test-build
	@t/lib/suite $(T)

test-hup: test-build
	@TEST_NGINX_USE_HUP=1 t/lib/suite $(or $(T),t)

test-valgrind: test-build
	@t/lib/packages valgrind
	@TEST_NGINX_USE_VALGRIND=1 t/lib/suite $(T)

sanitizers = address,undefined

test-asan:
	@$(MAKE) BUILD=$(out)/asan SANITIZE=$(sanitizers) test

vectors: $(out)/unit/vectors
	@$< $(VECTORS)

sim: $(out)/sim/gateway
	@$< --plot t/sim/ranking.svg

bench: all test-module $(benches)
	@t/lib/packages run bench
	-@t/bench/find
	@t/bench/run
	@t/bench/gateway

lint: $(tree)/objs/Makefile
	@t/lib/packages lint
	@t/lib/lint

matrix:
	@t/lib/packages lint
	@t/lib/matrix $(MATRIX)


# Installing: modules and includes where the installed nginx looks for them,
# the ready configurations beside the documentation of others.

nginx_path = $(shell PATH='$(PATH)' $(or $(NGINX_BINARY),nginx) -V 2>&1 \
             | tr ' ' '\n' | sed -n 's/^--$(1)=//p')
modules_dir = $(or $(call nginx_path,modules-path),/usr/lib/nginx/modules)
conf_dir    = $(or $(patsubst %/,%,$(dir $(call nginx_path,conf-path))),\
              /etc/nginx)

includes    = config/mesh_relay.conf config/gateway_locations.conf

install: all
	install -d $(DESTDIR)$(modules_dir) $(DESTDIR)$(conf_dir)
	install -m 644 $(addons:%=$(out)/%.so) $(DESTDIR)$(modules_dir)
	install -m 644 $(includes) $(DESTDIR)$(conf_dir)
	install -d $(DESTDIR)$(PREFIX)/share/nginx-mesh
	install -m 644 $(filter-out $(includes),$(wildcard config/*.conf)) \
	    $(DESTDIR)$(PREFIX)/share/nginx-mesh
ifneq ($(cli_objs),)
	install -D $(out)/meshctl $(DESTDIR)$(PREFIX)/bin/meshctl
endif

clean:
	@if [ -e $(RUNDIR)/nginx.pid ]; then shared/cli/stop; fi
	rm -rf $(out)
