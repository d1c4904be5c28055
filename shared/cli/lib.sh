# Shared by run and stop: where things are, and whose a pid is.
# shellcheck shell=sh disable=SC2034,SC2154

root=$(cd "$(dirname "$0")/../.." && pwd -P)
build=${BUILD:-$root/build}
nginx=${NGINX_BINARY:-nginx}

# a variable of this name makes nginx take over another's sockets
unset NGINX

fail() {
    echo "$name: $*" >&2
    exit 1
}

# The run folder as a physical path.  It stands in nginx.conf and in
# redis.conf, so it must need no quotes.
find_rundir() {
    rundir=${RUNDIR:-$build/run}

    case $rundir in
    /*) ;;
    *) rundir=$PWD/$rundir ;;
    esac

    case $rundir in
    *[!A-Za-z0-9_./@%+,=:~-]*)
        fail "RUNDIR \"$rundir\" has characters that do not go into nginx.conf"
        ;;
    esac

    if [ -d "$rundir" ]; then
        rundir=$(cd "$rundir" && pwd -P)
    fi
}

# alive FILE COMMAND: prints the pid in FILE when it is a process of this run
# folder.  All that run starts has the folder as its working directory.
alive() {
    [ -s "$rundir/$1" ] || return 1

    read -r pid < "$rundir/$1" || return 1

    case $pid in
    '' | *[!0-9]*) return 1 ;;
    esac

    [ "$(readlink "/proc/$pid/cwd" 2> /dev/null)" = "$rundir" ] || return 1
    [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = "$2" ] || return 1

    echo "$pid"
}
