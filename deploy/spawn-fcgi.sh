#!/bin/sh
# Run one pool under spawn-fcgi, for a machine without systemd: a supervisor (runit, s6, …) starts
# this script and restarts it when it ends.
#
#   deploy/spawn-fcgi.sh POOL        as root
#
# spawn-fcgi binds the socket for nginx's group and drops to the user of the workers; lectern-api
# finds it at descriptor 0, keeps the workers alive, drains at SIGTERM and renews them at SIGHUP.
# Never use -a or -p: FastCGI over TCP is refused.
set -eu

pool=${1:?usage: spawn-fcgi.sh POOL}
case $pool in
*[!a-z0-9-]*)
    echo "spawn-fcgi.sh: a pool is named with a-z, 0-9 and '-'" >&2
    exit 64
    ;;
esac

user=${LECTERN_USER:-lectern}
nginx_group=${NGINX_GROUP:-www-data}
settings=${LECTERN_SETTINGS:-/etc/lectern/lectern.env}
program=${LECTERN_API:-/usr/bin/lectern-api}
socket_dir=${LECTERN_SOCKET_DIR:-/run/lectern-fcgi}
shared_dir=${LECTERN_SHARED_DIR:-/run/lectern}

install -d -m 0755 "$socket_dir"
install -d -m 0755 -o "$user" "$shared_dir"
rm -f "$socket_dir/$pool.sock"
# Password hashes stand back for the others.
set --
if [ "$pool" = auth ]; then set -- nice -n 10; fi
exec "$@" spawn-fcgi -n -b 511 -s "$socket_dir/$pool.sock" -U "$user" -G "$nginx_group" -M 0660 \
    -u "$user" -- "$program" --pool "$pool" --config "$settings"
