# shellcheck shell=sh
# $1 is the number of versions that are installed afterwards.
if [ "$1" -eq 0 ]; then
    systemctl --no-reload disable echo-server.socket echo-server.service || :
    if [ -d /run/systemd/system ]; then
        # Without the socket unit, no client can start the service again.
        systemctl stop echo-server.socket echo-server.service || :
    fi
fi
