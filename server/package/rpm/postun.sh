# shellcheck shell=sh
# $1 is the number of versions that are installed afterwards. The user stays: files on the machine may still belong to it.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
    if [ "$1" -ge 1 ]; then
        systemctl try-restart echo-server.service || :
    fi
fi
