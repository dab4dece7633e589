//! The edge filter: an nftables table that judges what comes in by the port that it was sent to, before the engine
//! rewrites it, and what containers may reach of the provider's own network. Guide sections 4.2 and 4.3.
//!
//! It stands beside ufw, which never sees what the engine forwards. The guide's rules in `DOCKER-USER` see ports after
//! the rewriting, know one interface by name and one address family, and are put in once, after the engine has begun.
//! Deliberately absent: rules for single containers; a service's ways out are the stack's (`x-supervisor.egress`).

/// The table's name; the audit looks for it.
pub const TABLE: &str = "edge";

/// The text of `/etc/supervisor/edge.nft`. Loading it again replaces the table in one step.
pub fn file(ssh_port: u16) -> String {
    format!(
        "#!/usr/sbin/nft -f
# What may come in, by the port that it was sent to: before the engine rewrites it, on every interface but those of
# containers, for both address families. Loading it again replaces the table in one step.
table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
  # Where containers and the host itself send from.
  set inside {{ type ifname; flags interval; auto-merge; elements = {{ \"lo\", \"docker*\", \"br-*\", \"veth*\" }}; }}
  # Who opens too many connections: counted for each address, and not for all together.
  set web4 {{ type ipv4_addr; size 65535; flags dynamic, timeout; timeout 2m; }}
  set web6 {{ type ipv6_addr; size 65535; flags dynamic, timeout; timeout 2m; }}

  chain incoming {{
    # After connections are known, and before addresses are rewritten (-100).
    type filter hook prerouting priority -150; policy accept;
    iifname @inside accept
    ct state established,related accept
    ct state invalid drop
    meta l4proto {{ icmp, ipv6-icmp }} accept
    udp dport {{ 68, 546 }} accept
    tcp dport {ssh_port} accept
    tcp dport {{ 80, 443 }} meta nfproto ipv4 update @web4 {{ ip saddr limit rate over 150/minute burst 100 packets }} drop
    tcp dport {{ 80, 443 }} meta nfproto ipv6 update @web6 {{ ip6 saddr limit rate over 150/minute burst 100 packets }} drop
    tcp dport {{ 80, 443 }} accept
    udp dport 443 accept
    limit rate 5/minute burst 10 packets log prefix \"edge drop: \"
    drop
  }}

  # Containers do not reach the provider's metadata, nor the link's other hosts: keys and user-data are there.
  chain through {{
    type filter hook forward priority -10; policy accept;
    iifname @inside ip daddr 169.254.0.0/16 drop
    iifname @inside ip6 daddr {{ fe80::/10, fd00:ec2::254 }} drop
  }}

  # On the host itself, only root does.
  chain outgoing {{
    type filter hook output priority -10; policy accept;
    ip daddr 169.254.169.254 tcp dport 80 meta skuid != 0 reject
  }}
}}
"
    )
}
