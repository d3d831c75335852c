import { readFileSync } from 'node:fs'

/** The package's version. */
function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return version
}

export const versionText = (): string => `ipvs v${packageVersion()} (the language of ipvsadm v1.31, IPVS v1.2.1)\n`

export const helpText = (): string => `${versionText()}
Lists and changes the Linux kernel's IPVS table. Takes ipvsadm's command line as it is.
What ipvsadm does not have is marked with *.

Services                                     (-t and -u take ADDRESS:PORT, IPv6 as [ADDRESS]:PORT)
  -A, --add-service     SERVICE [options]    add a virtual service
  -E, --edit-service    SERVICE [options]    change one; options that are left out get their defaults
  -D, --delete-service  SERVICE              remove one, with its destinations

    SERVICE is one of   -t, --tcp-service  -u, --udp-service  --sctp-service  ADDRESS:PORT
                        -f, --fwmark-service MARK  [-6, --ipv6]
    -s, --scheduler NAME       rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh (default: wlc)
    -b, --sched-flags FLAGS    sh-fallback,sh-port  mh-fallback,mh-port  flag-1,flag-2,flag-3
    -p, --persistent [SECONDS]
                               keep each client at its destination (default: 360 seconds)
    -M, --netmask MASK         keep each client network together; IPv6: length of the prefix
    --pe NAME                  persistence engine: sip
    -o, --ops                  schedule each UDP packet by itself

Destinations (real servers)
  -a, --add-server      SERVICE -r ADDRESS[:PORT] [options]    add one to a service
  -e, --edit-server     SERVICE -r ADDRESS[:PORT] [options]    change one; options that are left out get their defaults
  -d, --delete-server   SERVICE -r ADDRESS[:PORT]              remove one

    -r, --real-server ADDRESS[:PORT]
                               the destination
    -g, --gatewaying           direct routing (the default)
    -m, --masquerading         network address translation
    -i, --ipip                 a tunnel
      --tun-type TYPE          ipip (the default), gue or gre
      --tun-port PORT          port of gue
      --tun-nocsum  --tun-csum  --tun-remcsum                  checksums: gue any, gre the first two
    -w, --weight NUMBER        share of new connections, 0 to 65535 (default: 1); 0: no new ones
    -x, --u-threshold NUMBER   no new connections at this number or more (default: no limit)
    -y, --l-threshold NUMBER   new connections again below this number (default: 3/4 of the upper one)

Listing
  -L, -l, --list [SERVICE]     the table, or one service with its destinations
    -n, --numeric              addresses and ports as numbers
    --stats  --rate  --thresholds  --persistent-conn  --tun-info    which columns to show
    -X, --exact                numbers in full
    --nosort                   keep the kernel's order
  -L -c, --connection          the connections; --persistent-conn adds the persistence engine's data
  -L --timeout                 the timeouts
  -L --daemon                  the sync daemons
  * -L … --json                any of these as JSON
  * ipvs top                   services and destinations by traffic, live; ipvs top --help
  * ipvs doctor                what this machine lacks for load balancing; ipvs doctor --help

  * ipvs completion            a script that completes this command line in bash, zsh or fish

A load balancer that runs by itself
  * ipvs director              checks real servers and keeps the table right, from a keepalived.conf or etcd; ipvs director --help
  * ipvs fleet                 which directors of a fleet live, and where they differ; ipvs fleet --help
  * ipvs fleet apply FILE      writes a configuration into etcd for a fleet; ipvs fleet apply --help
  * ipvs register              puts a server into a service of a fleet, for as long as it lives; ipvs register --help
  * ipvs digest                the digest of a page, for HTTP_GET; ipvs digest --help

The whole table
  -S, --save [-n]              write it as commands
    * --full                   keep thresholds, timeouts, sync daemons and what ipvsadm has no words for
  -R, --restore                read commands from the standard input and carry them out
    * --replace                make the table what the commands describe: add and change first, remove last
    * --dry-run                print what would be done
  -C, --clear                  remove everything
  -Z, --zero [SERVICE]         set counters to zero

Timeouts and sync daemons
  --set TCP TCPFIN UDP         seconds; 0 keeps the current value
  --start-daemon master|backup [--mcast-interface NAME] [--syncid N] [--sync-maxlen BYTES]
                               [--mcast-group ADDRESS] [--mcast-port PORT] [--mcast-ttl N]
  --stop-daemon  master|backup [--syncid N]

With all commands
  * --netns NAME               work in another network namespace: a name of \`ip netns\` or a path
  -h, --help                   this text; ipvs help WORD has that of a word
  -v, --version                versions

Exit status: 0 done, 1 a listing failed or the output could not be written, 2 a value or a combination of options is wrong,
255 the kernel refused, or the command line was not understood.
`
