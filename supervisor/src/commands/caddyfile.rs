//! `render caddyfile`: a hardened Caddyfile for the stack, made from its model.
//!
//! Deliberately absent: the text (`render::caddyfile`), and writing a file; a shell redirects.

use crate::args::GlobalArgs;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::render::caddyfile::{Site, caddyfile};

/// Options of `render caddyfile`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  supervisor render caddyfile --site claw.example.org --tls me@example.org > Caddyfile
  supervisor render caddyfile --site claw.example.org --upstream openclaw:18789 --max-body 32MB

Needs Caddy 2.8 or later, and no plugin. With `x-supervisor.edge_from: ./cloudflare.txt`, a list of address blocks one a
line, only these reach the site, and the client's address is taken from them alone: refresh the list from
https://www.cloudflare.com/ips-v4 and ips-v6, render again, and run `supervisor up`.")]
pub(crate) struct Args {
    /// The host name of the site
    #[arg(long, value_name = "NAME")]
    pub site: String,
    /// An e-mail address for public certificates, or `internal` for certificates of Caddy's own
    #[arg(long, value_name = "MAIL", default_value = "internal")]
    pub tls: String,
    /// The service behind, and its port; without, the only one that has a probe
    #[arg(long, value_name = "SERVICE[:PORT]")]
    pub upstream: Option<String>,
    /// Take the client's address by the PROXY protocol, from `x-supervisor.edge_from` alone
    #[arg(long)]
    pub proxy_protocol: bool,
    /// The largest body of a request
    #[arg(long, value_name = "SIZE", default_value = "16MB")]
    pub max_body: String,
}

pub(crate) fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let stack = input::admitted(global)?;
    let site = Site {
        name: args.site.clone(),
        tls: args.tls.clone(),
        upstream: args.upstream.clone(),
        proxy_protocol: args.proxy_protocol,
        max_body: args.max_body.clone(),
    };
    let text = caddyfile(stack.project(), &site).map_err(|error| Failure::new(Exit::Unreadable, error))?;
    print!("{text}");
    Ok(Exit::Done)
}
