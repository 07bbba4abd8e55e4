//! Roles, and the style of each in a theme and on a kind of terminal.
//!
//! Widgets name roles, themes name colours, and nothing else does. Must never know what a widget draws. Known weakness:
//! whether a terminal shows 24-bit colour is taken from its environment, which ssh does not always pass on.

use crate::units::written::{Wrong, flag, quoted};
use crate::units::yaml::{self, Node, Troubles, Written};
use crate::units::{Kind, Place, Trouble};
use clap::ValueEnum;
use ratatui::style::{Color, Modifier, Style};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident $name:literal,)*) => {
        /// What a piece of the screen says; a theme turns it into a style.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Role { $($(#[$doc])* $role,)* }

        impl Role {
            /// All roles, in the order of the theme files.
            pub const ALL: [Role; 25] = [$(Role::$role,)*];

            /// Its name in a theme file.
            pub const fn name(self) -> &'static str {
                match self { $(Role::$role => $name,)* }
            }
        }
    };
}

roles! {
    /// The whole screen.
    Ground "ground",
    /// Status bar, key bar, overlays.
    Raised "raised",
    /// The selected row.
    Selected "selected",
    /// Words that carry meaning.
    Text "text",
    /// Measured values and names.
    Strong "strong",
    /// Labels, units, wants, explanation.
    Dim "dim",
    /// Rules, grid dots, the dashed future.
    Faint "faint",
    /// Done part of a rail, step marks, box lines.
    Mark "mark",
    /// What cannot be used now.
    Off "off",
    /// Pane titles.
    Title "title",
    /// A key on its plate.
    Keycap "keycap",
    /// The environment tag.
    Env "env",
    /// The stable version, the control.
    Old "old",
    /// The old share of a full bar; carries no text.
    OldFill "old_fill",
    /// The new version, the treatment, what happens now.
    New "new",
    /// A third version.
    Third "third",
    /// Good; for the sign only.
    Ok "ok",
    /// Look when you can.
    Warn "warn",
    /// Look now.
    Bad "bad",
    /// Stale, denied, no data, too few.
    Unknown "unknown",
    /// A threshold or a promise, as line and as number.
    Limit "limit",
    /// Strip: act now.
    Alarm "alarm",
    /// The lesser words in that strip.
    AlarmSoft "alarm_soft",
    /// Strip: something moves, or is armed.
    Caution "caution",
    /// Strip: proved.
    Proof "proof",
}

/// How many colours a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// 24 bits.
    True,
    /// The 256 of xterm.
    Indexed,
    /// The 16 that the terminal's owner chose.
    Ansi,
    /// None: no colour code is ever written.
    Mono,
}

/// What `--color` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// As the terminal and `NO_COLOR` say.
    #[default]
    Auto,
    /// As many as the terminal has, whatever `NO_COLOR` says.
    Always,
    /// None.
    Never,
    /// 16.
    #[value(name = "16")]
    Ansi,
    /// 256.
    #[value(name = "256")]
    Indexed,
}

impl Tier {
    /// The tier for a choice; `terminal` is whether the output is one, `env` reads the environment.
    pub fn detect(choice: ColorChoice, terminal: bool, env: impl Fn(&str) -> Option<String>) -> Tier {
        let set = |name: &str| env(name).filter(|v| !v.is_empty());
        let term = set("TERM").unwrap_or_default();
        match choice {
            ColorChoice::Never => return Tier::Mono,
            ColorChoice::Ansi => return Tier::Ansi,
            ColorChoice::Indexed => return Tier::Indexed,
            ColorChoice::Auto if set("NO_COLOR").is_some() || !terminal || term == "dumb" => return Tier::Mono,
            ColorChoice::Auto | ColorChoice::Always => {}
        }
        let direct = ["kitty", "alacritty", "ghostty", "foot", "wezterm", "direct"];
        if matches!(set("COLORTERM").as_deref(), Some("truecolor" | "24bit")) || direct.iter().any(|d| term.contains(d)) {
            Tier::True
        } else if term.contains("256color") {
            Tier::Indexed
        } else {
            Tier::Ansi
        }
    }
}

/// Whether the terminal's own ground is dark or light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Light text on a dark ground.
    Dark,
    /// Dark text on a light ground.
    Light,
}

/// The style of each role.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    styles: [Style; 25],
}

/// The themes that are built in, by name; a file of the same form can be named instead.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("dark", include_str!("../../themes/dark.yaml")),
    ("light", include_str!("../../themes/light.yaml")),
    ("deuteranopia", include_str!("../../themes/deuteranopia.yaml")),
];

impl Theme {
    /// The theme that `choice` names (a built-in name or a file), else the one for `mode`. With 16 colours or none the styles are built in.
    /// On failure all that is wrong with the file is told.
    pub fn load(choice: Option<&str>, mode: Mode, tier: Tier) -> Result<Theme, Vec<Trouble>> {
        let name = choice.unwrap_or(match mode {
            Mode::Dark => "dark",
            Mode::Light => "light",
        });
        // Read in every tier, so that a mistake in the file shows also where its colours do not.
        let paints = read(name, None, 0)?;
        let mut styles = [Style::new(); 25];
        for ((role, paint), style) in Role::ALL.into_iter().zip(paints).zip(&mut styles) {
            *style = match tier {
                Tier::True | Tier::Indexed => paint.style(tier),
                Tier::Ansi => ansi(role),
                Tier::Mono => mono(role),
            };
        }
        Ok(Theme { styles })
    }

    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }
}

/// One role in a theme file.
#[derive(Clone, Copy, Default)]
struct Paint {
    fg: Option<Hue>,
    bg: Option<Hue>,
    fg256: Option<u8>,
    bg256: Option<u8>,
    bold: Option<bool>,
    dim: Option<bool>,
    underline: Option<bool>,
    reverse: Option<bool>,
}

#[derive(Clone, Copy)]
enum Hue {
    Terminal,
    Rgb(u8, u8, u8),
}

fn hue(text: &str) -> Result<Hue, Wrong> {
    if text == "default" {
        return Ok(Hue::Terminal);
    }
    match text.strip_prefix('#').filter(|hex| hex.len() == 6).map(|hex| u32::from_str_radix(hex, 16)) {
        Some(Ok(n)) => Ok(Hue::Rgb((n >> 16) as u8, (n >> 8) as u8, n as u8)),
        _ => Err(Wrong::new(format!("{} is not a colour", quoted(text)), "write \"#4DB5FF\" or default")),
    }
}

fn index(text: &str) -> Result<u8, Wrong> {
    text.parse().map_err(|_| Wrong::new(format!("{} is not one of the 256 colours", quoted(text)), "write 0 to 255"))
}

impl Paint {
    fn read(node: &Node, role: &'static str, t: &mut Troubles) -> Option<Paint> {
        let mut fields = node.fields(role, t)?;
        let paint = Paint {
            fg: fields.read("fg", t, hue),
            bg: fields.read("bg", t, hue),
            fg256: fields.read("fg256", t, index),
            bg256: fields.read("bg256", t, index),
            bold: fields.read("bold", t, flag),
            dim: fields.read("dim", t, flag),
            underline: fields.read("underline", t, flag),
            reverse: fields.read("reverse", t, flag),
        };
        fields.finish(t);
        Some(paint)
    }

    /// What is absent here is taken from `parent`; an index never without the colour that it stands for.
    fn over(self, parent: Paint) -> Paint {
        Paint {
            fg256: if self.fg.is_some() { self.fg256 } else { self.fg256.or(parent.fg256) },
            bg256: if self.bg.is_some() { self.bg256 } else { self.bg256.or(parent.bg256) },
            fg: self.fg.or(parent.fg),
            bg: self.bg.or(parent.bg),
            bold: self.bold.or(parent.bold),
            dim: self.dim.or(parent.dim),
            underline: self.underline.or(parent.underline),
            reverse: self.reverse.or(parent.reverse),
        }
    }

    fn style(&self, tier: Tier) -> Style {
        let colour = |hue: Option<Hue>, index: Option<u8>| match (hue, index) {
            (None, None) => None,
            (Some(Hue::Terminal), _) => Some(Color::Reset),
            (Some(Hue::Rgb(r, g, b)), _) if tier == Tier::True => Some(Color::Rgb(r, g, b)),
            (_, Some(index)) => Some(Color::Indexed(index)),
            (Some(Hue::Rgb(r, g, b)), None) => Some(Color::Indexed(nearest([r, g, b]))),
        };
        let mut style = Style { fg: colour(self.fg, self.fg256), bg: colour(self.bg, self.bg256), ..Style::new() };
        for (on, modifier) in [
            (self.bold, Modifier::BOLD),
            (self.dim, Modifier::DIM),
            (self.underline, Modifier::UNDERLINED),
            (self.reverse, Modifier::REVERSED),
        ] {
            if on == Some(true) {
                style = style.add_modifier(modifier);
            }
        }
        style
    }
}

/// Reads the theme `name` and what it inherits, as paints in the order of [`Role::ALL`]. `beside` is the folder that a file is
/// looked for in, `depth` how many themes inherit this one.
fn read(name: &str, beside: Option<&Path>, depth: usize) -> Result<Vec<Paint>, Vec<Trouble>> {
    let path = beside.map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
    let shown = path.display().to_string();
    let one = |cause: &str, remedy: &str| vec![Trouble::new(Kind::Document, Place::named(&shown), cause, remedy)];
    if depth > 4 {
        return Err(one("themes inherit each other in a circle, or more than 4 deep", "let the last one inherit dark"));
    }
    let built_in = BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
    let Written { root, troubles: mut t } = match (built_in, File::open(&path)) {
        (Some((_, text)), _) => yaml::parse(name, text.as_bytes()),
        (None, Ok(file)) => yaml::read(&shown, file),
        (None, Err(e)) if e.kind() == ErrorKind::NotFound => {
            return Err(one("no such theme", "name a file, or one of dark, light, deuteranopia"));
        }
        (None, Err(e)) => yaml::unreadable(&shown, &e),
    };
    let mut paints = vec![Paint::default(); Role::ALL.len()];
    if let Some(mut fields) = root.as_ref().and_then(|root| root.fields("a theme", &mut t)) {
        if let Some(parent) = fields.read("inherits", &mut t, |text| Ok(text.to_owned())) {
            paints = read(&parent, if built_in.is_some() { None } else { path.parent() }, depth + 1)?;
        }
        if let Some(mut roles) = fields.get("roles").and_then(|roles| roles.fields("roles", &mut t)) {
            for (role, paint) in Role::ALL.into_iter().zip(&mut paints) {
                if let Some(own) = roles.get(role.name()).and_then(|node| Paint::read(node, role.name(), &mut t)) {
                    *paint = own.over(*paint);
                }
            }
            roles.finish(&mut t);
        }
        fields.finish(&mut t);
    }
    t.or(root.map(|_| paints))
}

/// The style with 16 colours. No role relies on a shade of grey but to be less important.
fn ansi(role: Role) -> Style {
    use Color::{Black, DarkGray, Gray, Green, LightBlue, LightCyan, LightMagenta, LightRed, LightYellow, Red, White, Yellow};
    let style = Style::new();
    match role {
        Role::Ground | Role::Raised | Role::Text | Role::Dim | Role::Old => style,
        Role::Selected => style.reversed(),
        Role::Strong => style.fg(White).bold(),
        Role::Faint | Role::Mark | Role::Off | Role::OldFill => style.fg(DarkGray),
        Role::Title => style.bold(),
        Role::Keycap | Role::Env => style.fg(Black).bg(Gray),
        Role::New => style.fg(LightCyan).bold(),
        Role::Third => style.fg(LightBlue),
        Role::Ok => style.fg(Green),
        Role::Warn => style.fg(LightYellow).bold(),
        Role::Bad => style.fg(LightRed).bold(),
        Role::Unknown => style.fg(LightMagenta),
        Role::Limit => style.fg(Yellow),
        Role::Alarm => style.fg(White).bg(Red).bold(),
        Role::AlarmSoft => style.fg(White).bg(Red),
        Role::Caution => style.fg(Black).bg(Yellow),
        Role::Proof => style.fg(Black).bg(Green),
    }
}

/// The style without colours.
fn mono(role: Role) -> Style {
    let style = Style::new();
    match role {
        Role::Ground | Role::Raised | Role::Text | Role::Third | Role::Ok | Role::Unknown | Role::Limit => style,
        Role::Selected | Role::Env | Role::AlarmSoft => style.reversed(),
        Role::Strong | Role::Title | Role::New | Role::Warn => style.bold(),
        Role::Dim | Role::Faint | Role::Mark | Role::Off | Role::Old | Role::OldFill => style.dim(),
        Role::Keycap | Role::Bad => style.bold().underlined(),
        Role::Alarm | Role::Caution | Role::Proof => style.bold().reversed(),
    }
}

/// The nearest of the 240 fixed colours of xterm, by distance in CIELAB. The first 16 belong to the terminal's owner.
fn nearest(rgb: [u8; 3]) -> u8 {
    let want = lab(rgb);
    let far = |index: &u8| lab(xterm(*index)).iter().zip(want).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
    (16..=255).min_by(|a, b| far(a).total_cmp(&far(b))).unwrap_or(255)
}

fn xterm(index: u8) -> [u8; 3] {
    if index >= 232 {
        return [8 + (index - 232) * 10; 3];
    }
    let level = |n: u8| if n == 0 { 0 } else { 55 + n * 40 };
    let n = index.saturating_sub(16);
    [level(n / 36), level(n / 6 % 6), level(n % 6)]
}

/// CIELAB of an sRGB colour (D65, two degrees).
fn lab(rgb: [u8; 3]) -> [f64; 3] {
    let [r, g, b] = rgb.map(|c| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    let f = |t: f64| if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 };
    let x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
    let y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
    let z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// Whether a ground of this colour is dark or light.
pub fn mode_of(rgb: [u8; 3]) -> Mode {
    let [lightness, ..] = lab(rgb);
    if lightness > 50.0 { Mode::Light } else { Mode::Dark }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn the_tier_follows_the_choice_then_no_color_then_the_terminal() {
        use ColorChoice::*;
        let rich = env(&[("COLORTERM", "truecolor"), ("TERM", "xterm-256color")]);
        assert_eq!(Tier::detect(Auto, true, &rich), Tier::True);
        assert_eq!(Tier::detect(Auto, false, &rich), Tier::Mono);
        assert_eq!(Tier::detect(Always, false, &rich), Tier::True);
        assert_eq!(Tier::detect(Never, true, &rich), Tier::Mono);
        assert_eq!(Tier::detect(Ansi, true, &rich), Tier::Ansi);
        assert_eq!(Tier::detect(Indexed, true, &rich), Tier::Indexed);
        let quiet = env(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")]);
        assert_eq!(Tier::detect(Auto, true, &quiet), Tier::Mono);
        assert_eq!(Tier::detect(Always, true, &quiet), Tier::True);
        assert_eq!(Tier::detect(Auto, true, env(&[("NO_COLOR", ""), ("TERM", "screen-256color")])), Tier::Indexed);
        assert_eq!(Tier::detect(Auto, true, env(&[("TERM", "linux")])), Tier::Ansi);
        assert_eq!(Tier::detect(Auto, true, env(&[("TERM", "dumb")])), Tier::Mono);
        assert_eq!(Tier::detect(Auto, true, env(&[("TERM", "xterm-kitty")])), Tier::True);
    }

    #[test]
    fn every_built_in_theme_paints_every_role_that_carries_text() {
        for (name, _) in BUILT_IN {
            for tier in [Tier::True, Tier::Indexed] {
                let theme = Theme::load(Some(name), Mode::Dark, tier).unwrap();
                for role in Role::ALL {
                    let style = theme.style(role);
                    assert!(style.fg.is_some() || role == Role::Selected, "{name}: {role:?} has no colour");
                }
            }
        }
    }

    #[test]
    fn deuteranopia_takes_from_dark_what_it_does_not_say() {
        let dark = Theme::load(None, Mode::Dark, Tier::True).unwrap();
        let other = Theme::load(Some("deuteranopia"), Mode::Light, Tier::True).unwrap();
        assert_eq!(other.style(Role::Ground), dark.style(Role::Ground));
        assert_eq!(other.style(Role::Bad).fg, Some(Color::Rgb(0xF0, 0x70, 0x1E)));
        assert_ne!(other.style(Role::Bad), dark.style(Role::Bad));
    }

    #[test]
    fn mono_and_16_colours_never_use_more_than_they_have() {
        let mono = Theme::load(Some("light"), Mode::Dark, Tier::Mono).unwrap();
        let ansi = Theme::load(Some("light"), Mode::Dark, Tier::Ansi).unwrap();
        for role in Role::ALL {
            assert_eq!((mono.style(role).fg, mono.style(role).bg), (None, None), "{role:?}");
            for colour in [ansi.style(role).fg, ansi.style(role).bg].into_iter().flatten() {
                assert!(!matches!(colour, Color::Rgb(..) | Color::Indexed(_)), "{role:?}");
            }
        }
    }

    #[test]
    fn the_nearest_of_256_is_found_in_cielab() {
        assert_eq!(nearest([0, 0, 0]), 16);
        assert_eq!(nearest([255, 255, 255]), 231);
        assert_eq!(nearest([0x5F, 0xAF, 0xFF]), 75);
        assert_eq!(nearest([0x0D, 0x10, 0x14]), 233);
    }

    #[test]
    fn a_light_ground_is_told_from_a_dark_one() {
        assert_eq!(mode_of([0xFB, 0xFB, 0xF8]), Mode::Light);
        assert_eq!(mode_of([0x28, 0x2C, 0x34]), Mode::Dark);
    }

    fn from_file(text: &str) -> Result<Theme, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.yaml");
        std::fs::write(&path, text).unwrap();
        let said = |t: &Trouble| t.to_string().replace(&format!("{}/", folder.path().display()), "");
        Theme::load(path.to_str(), Mode::Dark, Tier::Indexed).map_err(|all| all.iter().map(said).collect())
    }

    #[test]
    fn a_file_can_change_one_role_and_an_index_goes_with_its_colour() {
        let theme = from_file("inherits: dark\nroles:\n  new: { fg: \"#FFFFFF\" }\n  ground: { bg: default }\n").unwrap();
        assert_eq!(theme.style(Role::New).fg, Some(Color::Indexed(231)));
        assert_eq!(theme.style(Role::Ground).bg, Some(Color::Reset));
        assert_eq!(theme.style(Role::Dim).fg, Some(Color::Indexed(246)));
    }

    #[test]
    fn all_mistakes_in_a_file_are_told_with_their_places() {
        let said =
            from_file("roles:\n  new: { fg: \"#12345\", italic: true }\n  nwe: { bold: true }\n  bad: { fg256: 300 }\n").unwrap_err();
        assert_eq!(
            said,
            [
                "mine.yaml:2:14: fg: `#12345` is not a colour: write \"#4DB5FF\" or default",
                "mine.yaml:2:24: unknown key italic: known here: fg, bg, fg256, bg256, bold, dim, underline, reverse",
                "mine.yaml:3:3: unknown key nwe: did you mean new?",
                "mine.yaml:4:17: fg256: `300` is not one of the 256 colours: write 0 to 255",
            ]
        );
    }

    #[test]
    fn a_theme_that_is_not_there_or_inherits_itself_is_refused() {
        let circle = from_file("inherits: mine.yaml\n").unwrap_err();
        assert!(circle[0].contains("in a circle"), "{circle:?}");
        let missing = Theme::load(Some("nowhere.yaml"), Mode::Dark, Tier::Mono).unwrap_err();
        assert_eq!(missing[0].to_string(), "nowhere.yaml: no such theme: name a file, or one of dark, light, deuteranopia");
    }
}
