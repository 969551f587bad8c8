#!/bin/sh
# A removal deletes no record, not even a purge: the living refresh token is there, and
# nowhere else. dpkg says "remove" and perhaps "purge" later, rpm that none is left.
set -e
case "$1" in
remove | purge | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
if [ "$1" != remove ] && [ -d /etc/lamplighter ]; then
	echo "lamplighter: what you put there stays in /etc/lamplighter, secrets and variables too: delete it if nothing needs it"
fi
if [ "$1" != remove ] && [ -d /var/lib/lamplighter ]; then
	echo "lamplighter: the records of grants stay in /var/lib/lamplighter with the saved configuration, and so does the user lamplighter"
fi
