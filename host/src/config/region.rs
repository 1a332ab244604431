//! The region of an MSK cluster.

use super::substitute::Env;

/// From the host names of the brokers, which Amazon gives them; else from the environment. A
/// token is for one region, and a cluster takes those of its own only, so that the name counts
/// more.
pub(super) fn region(servers: &str, env: Env<'_>) -> Option<String> {
    let of_hosts = servers.split(',').find_map(|server| of_host(server.trim()));
    let of_environment = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(|name| env(name).filter(|region| !region.is_empty()));
    of_hosts.map(str::to_owned).or(of_environment)
}

/// `b-1.orders.a1b2c3.c2.kafka.eu-west-1.amazonaws.com:9098`, and likewise `kafka-serverless`.
fn of_host(server: &str) -> Option<&str> {
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
    let names = host
        .strip_suffix(".amazonaws.com")
        .or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let (rest, region) = names.rsplit_once('.')?;
    let service = rest.rsplit('.').next()?;
    matches!(service, "kafka" | "kafka-serverless").then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brokers_name_counts_more_than_the_environment() {
        let env = |name: &str| (name == "AWS_REGION").then(|| "eu-west-1".to_owned());
        let none = |_: &str| None;
        for (servers, expected) in [
            (
                "b-1.o.a1.c2.kafka.us-east-1.amazonaws.com:9098",
                "us-east-1",
            ),
            (
                "boot-a1.c2.kafka-serverless.ap-south-1.amazonaws.com:9098",
                "ap-south-1",
            ),
            (
                "x:9098, b-2.o.a1.c2.kafka.cn-north-1.amazonaws.com.cn:9098",
                "cn-north-1",
            ),
            (
                "b-1-public.o.a1.c2.kafka.us-west-2.amazonaws.com",
                "us-west-2",
            ),
        ] {
            assert_eq!(
                region(servers, &env).as_deref(),
                Some(expected),
                "{servers}"
            );
            assert_eq!(
                region(servers, &none).as_deref(),
                Some(expected),
                "{servers}"
            );
        }
        for servers in [
            "localhost:9098",
            "s3.us-east-1.amazonaws.com:1",
            "amazonaws.com",
            "",
        ] {
            assert_eq!(
                region(servers, &env).as_deref(),
                Some("eu-west-1"),
                "{servers}"
            );
            assert_eq!(region(servers, &none), None, "{servers}");
        }
    }
}
