//! Which fleet is meant.

use super::{FleetSettings, Settings};
use crate::units::{Kind, Namespace, Place, Trouble, clean};

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `--practice`
    pub practice: bool,
    /// `--env`
    pub env: Option<String>,
    /// `--context`
    pub context: Option<String>,
    /// `-n`
    pub namespace: Option<String>,
}

/// Where to fly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The simulated fleet.
    Practice,
    /// A real one.
    Real(FleetSettings),
}

/// The fleet that is asked for; else the first that is configured; else `current`, the kubeconfig's context; else practice.
pub fn choose(settings: &Settings, asked: &Asked, current: Option<&str>) -> Result<Destination, Trouble> {
    if asked.practice {
        return Ok(Destination::Practice);
    }
    let fleet = match (&asked.env, &asked.context) {
        (Some(env), _) => Some(settings.fleets.iter().find(|f| f.name == *env).cloned().ok_or_else(|| unknown(env, settings))?),
        (None, Some(context)) => Some(FleetSettings::of_context(context)),
        (None, None) => settings.fleets.first().cloned().or_else(|| current.map(FleetSettings::of_context)),
    };
    let Some(mut fleet) = fleet else { return Ok(Destination::Practice) };
    if let Some(namespace) = &asked.namespace {
        fleet.regions.iter_mut().for_each(|region| region.namespaces = vec![Namespace::new(namespace)]);
    }
    Ok(Destination::Real(fleet))
}

fn unknown(env: &str, settings: &Settings) -> Trouble {
    let names: Vec<&str> = settings.fleets.iter().map(|f| f.name.as_str()).collect();
    let remedy = match names.as_slice() {
        [] => "the settings name no fleet; --context takes one of the kubeconfig".into(),
        names => format!("the settings have {}", names.join(", ")),
    };
    Trouble::new(Kind::Usage, Place::named("--env"), format!("there is no fleet `{}`", clean(env, 60)), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(names: &[&str]) -> Settings {
        Settings { fleets: names.iter().map(|n| FleetSettings::of_context(n)).collect(), ..Settings::default() }
    }

    fn name(settings: &Settings, asked: &Asked, current: Option<&str>) -> String {
        match choose(settings, asked, current) {
            Ok(Destination::Practice) => "practice".into(),
            Ok(Destination::Real(fleet)) => fleet.name,
            Err(trouble) => trouble.to_string(),
        }
    }

    #[test]
    fn the_fleet_is_the_one_asked_for_else_configured_else_current_else_practice() {
        let two = settings(&["production", "staging"]);
        let env = |name: &str| Asked { env: Some(name.into()), ..Asked::default() };
        let context = Asked { context: Some("kind".into()), ..Asked::default() };
        assert_eq!(name(&two, &env("staging"), Some("kind")), "staging");
        assert_eq!(name(&two, &Asked::default(), Some("kind")), "production");
        assert_eq!(name(&two, &context, None), "kind");
        assert_eq!(name(&settings(&[]), &Asked::default(), Some("kind")), "kind");
        assert_eq!(name(&settings(&[]), &Asked::default(), None), "practice");
        assert_eq!(name(&two, &Asked { practice: true, ..env("staging") }, Some("kind")), "practice");
    }

    #[test]
    fn an_unknown_fleet_is_refused_with_those_that_there_are() {
        let asked = Asked { env: Some("prod".into()), ..Asked::default() };
        assert_eq!(name(&settings(&["a", "b"]), &asked, None), "--env: there is no fleet `prod`: the settings have a, b");
        assert_eq!(
            name(&settings(&[]), &asked, Some("kind")),
            "--env: there is no fleet `prod`: the settings name no fleet; --context takes one of the kubeconfig"
        );
        assert_eq!(choose(&settings(&[]), &asked, None).unwrap_err().kind.code(), 2);
    }

    #[test]
    fn a_namespace_holds_for_all_regions() {
        let asked = Asked { namespace: Some("shop".into()), ..Asked::default() };
        let Ok(Destination::Real(fleet)) = choose(&settings(&["a"]), &asked, None) else { panic!("a real fleet") };
        assert_eq!(fleet.regions[0].namespaces, [Namespace::new("shop")]);
    }
}
