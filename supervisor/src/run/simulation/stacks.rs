//! Random stacks and their next versions, as Compose text: what a person would write, good or bad.

use std::fmt::Write as _;

use super::About;
use super::dice::Dice;

/// How a service behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Starts, becomes healthy, stays so.
    Good,
    /// Ends soon after its start.
    Crash,
    /// Is healthy for a moment, then ends.
    Late,
    /// Never becomes healthy.
    Deaf,
    /// The kernel kills it for its memory.
    Memory,
}

impl Mode {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Crash => "crash",
            Self::Late => "late",
            Self::Deaf => "deaf",
            Self::Memory => "memory",
        }
    }

    pub(super) fn parse(word: &str) -> Self {
        [Self::Crash, Self::Late, Self::Deaf, Self::Memory]
            .into_iter()
            .find(|mode| mode.word() == word)
            .unwrap_or(Self::Good)
    }
}

#[derive(Clone, Debug)]
struct Row {
    name: String,
    version: u64,
    /// Of the config that it reads anew.
    config: u64,
    mode: Mode,
    check: u64,
    scale: u64,
    memory: u64,
    grace: u64,
    restart: &'static str,
    networks: u64,
    volume: bool,
    start_first: bool,
    batches: u64,
    needs: Vec<(String, &'static str, bool)>,
}

/// A stack that people write.
#[derive(Clone, Debug)]
pub(super) struct File {
    rows: Vec<Row>,
    next: u64,
    about: About,
}

impl File {
    /// One to four services, all good.
    pub(super) fn random(dice: &mut Dice, about: About) -> Self {
        let mut file = Self { rows: Vec::new(), next: 0, about };
        for _ in 0..=dice.roll(4) {
            file.add(dice);
        }
        file
    }

    fn add(&mut self, dice: &mut Dice) {
        let mut needs = Vec::new();
        for row in &self.rows {
            let condition = match dice.roll(5) {
                0 => "service_started",
                1 if row.check != 2 => "service_healthy",
                _ => continue,
            };
            needs.push((row.name.clone(), condition, dice.roll(2) == 0));
        }
        self.next += 1;
        self.rows.push(Row {
            name: format!("s{}", self.next),
            version: 0,
            config: 0,
            mode: Mode::Good,
            check: dice.roll(3),
            scale: 1 + dice.roll(2),
            memory: 32 + dice.roll(3),
            grace: *dice.pick(&[1, 2, 10, 120]).unwrap_or(&1),
            restart: dice.pick(&["always", "unless-stopped", "on-failure"]).unwrap_or(&"always"),
            networks: dice.roll(3),
            volume: dice.roll(3) == 0,
            start_first: dice.roll(4) == 0,
            batches: dice.roll(3),
            needs,
        });
    }

    /// The next version, which is good.
    pub(super) fn change(&mut self, dice: &mut Dice) {
        let count = u64::try_from(self.rows.len()).unwrap_or(1);
        let which = usize::try_from(dice.roll(count)).unwrap_or_default();
        match dice.roll(8) {
            0 if count < 5 => self.add(dice),
            1 if count > 1 => {
                let gone = self.rows.remove(which).name;
                for row in &mut self.rows {
                    row.needs.retain(|(name, ..)| *name != gone);
                }
            }
            other => {
                let Some(row) = self.rows.get_mut(which) else { return };
                match other {
                    2 => row.memory += 1,
                    3 => row.scale = 3 - row.scale,
                    4 => row.networks = (row.networks + 1) % 3,
                    5 | 6 if self.about == About::Configs => row.config += 1,
                    _ => row.version += 1,
                }
            }
        }
    }

    /// The same with a service that does not work.
    pub(super) fn bad(&self, dice: &mut Dice) -> Self {
        let mut file = self.clone();
        let count = u64::try_from(file.rows.len()).unwrap_or(1);
        let which = usize::try_from(dice.roll(count)).unwrap_or_default();
        if let Some(row) = file.rows.get_mut(which) {
            let modes = [Mode::Crash, Mode::Late, Mode::Deaf, Mode::Memory];
            row.mode = *dice.pick(&modes).unwrap_or(&Mode::Crash);
            if row.check == 2 && row.mode == Mode::Deaf {
                row.mode = Mode::Crash;
            }
            row.version += 1;
        }
        // What worked in itself goes back with what did not.
        for row in &mut file.rows {
            row.config += 1;
        }
        file
    }

    /// Services of which the new container is started before the old one stops.
    pub(super) fn start_first(&self) -> Vec<String> {
        self.rows.iter().filter(|row| row.start_first).map(|row| row.name.clone()).collect()
    }

    pub(super) fn text(&self) -> String {
        let guard = if self.about == About::Guard { "" } else { "x-supervisor: {guard: off}\n" };
        let mut out = format!("name: shop\n{guard}services:\n");
        for row in &self.rows {
            let _ = write!(
                out,
                "  {}:\n    image: busybox:1@sha256:{}\n    user: '1000:1000'\n    environment: {{MODE: {}, V: '{}'}}\n    \
                 mem_limit: {}m\n    stop_grace_period: {}s\n    restart: {}\n    scale: {}\n    networks: {}\n",
                row.name,
                "ab".repeat(32),
                row.mode.word(),
                row.version,
                row.memory,
                row.grace,
                row.restart,
                row.scale,
                ["[back]", "[front]", "[back, front]"][usize::try_from(row.networks).unwrap_or_default()],
            );
            if row.volume {
                out.push_str("    volumes: ['data:/data']\n");
            }
            let reloads = self.about == About::Configs;
            if reloads {
                let _ = writeln!(out, "    configs: [c{}]", row.name);
            }
            if reloads || row.check == 0 {
                out.push_str("    x-supervisor:\n");
            }
            if reloads {
                out.push_str("      reload: {signal: SIGHUP, check: [ok]}\n");
            }
            match row.check {
                0 => out.push_str(
                    "      probe: {http: /, port: 80, interval: 5s, timeout: 1s, retries: 2, start_period: 20s}\n",
                ),
                1 => out.push_str(
                    "    healthcheck: {test: [CMD, ok], interval: 5s, timeout: 1s, retries: 2, start_period: 20s}\n",
                ),
                _ => {}
            }
            let order = if row.start_first { "start-first" } else { "stop-first" };
            let _ = writeln!(
                out,
                "    deploy: {{update_config: {{monitor: 3s, order: {order}, parallelism: {}, delay: 1s}}}}",
                row.batches
            );
            if !row.needs.is_empty() {
                out.push_str("    depends_on:\n");
                for (name, condition, restart) in &row.needs {
                    let _ = writeln!(out, "      {name}: {{condition: {condition}, restart: {restart}}}");
                }
            }
        }
        let uses = |network: u64| self.rows.iter().any(|row| row.networks == network || row.networks == 2);
        out.push_str("networks:\n");
        if uses(0) {
            out.push_str("  back: {internal: true}\n");
        }
        if uses(1) {
            out.push_str("  front: {internal: true}\n");
        }
        if self.about == About::Configs {
            out.push_str("configs:\n");
            for row in &self.rows {
                let _ = writeln!(out, "  c{}: {{content: 'version {}'}}", row.name, row.config);
            }
        }
        if self.rows.iter().any(|row| row.volume) {
            out.push_str("volumes: {data: {}}\n");
        }
        out
    }
}
