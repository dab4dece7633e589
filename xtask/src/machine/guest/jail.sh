# Arguments: jail, root, disk, kernel, run, payload, results, then the kernel's command line.
# Runs as process 1 of a process and mount namespace: when it is killed, the kernel ends everything that it started.
# The machine's kernel is a program that is linked with the machine's own libraries, so that it gets its root as /.
set -eu
jail=$1 root=$2 disk=$3 kernel=$4 run=$5 payload=$6 results=$7
shift 7
shown() { mount --bind "$1" "$2" && mount -o remount,bind,ro "$2"; }
shown "$root" "$jail"
mount --rbind /dev "$jail/dev"
mount -t proc proc "$jail/proc"
mount --bind "$run" "$jail/run"
mount --bind "$run/tmp" "$jail/tmp"
mount -t tmpfs -o size=64k none "$jail/mnt/machine"
mkdir "$jail/mnt/machine/disk" "$jail/mnt/machine/kernel"
shown "$disk" "$jail/mnt/machine/disk"
shown "$kernel" "$jail/mnt/machine/kernel"
shown "$payload" "$jail/mnt/payload"
mount --bind "$results" "$jail/mnt/results"
exec chroot "$jail" "$@"
