"""Which addresses count as a proxy's."""

from ipaddress import ip_network

import pytest

from app.proxies import forwarded_allow_ips, parse


def test_addresses_and_networks_of_both_families_are_taken() -> None:
    found = parse("127.0.0.1, ::1 ,10.1.0.0/16,2001:db8::/32,")
    assert found == tuple(map(ip_network, ("127.0.0.1/32", "::1/128", "10.1.0.0/16", "2001:db8::/32")))


@pytest.mark.parametrize("told", ["", " , ", "*", "proxy", "10.0.0.1/24", "1.2.3", "0.0.0.0/0", "::/0", "10.0.0.1:80"])
def test_what_is_no_proxy_is_refused_with_an_example(told: str) -> None:
    with pytest.raises(ValueError, match=r"give addresses or networks like 127\.0\.0\.1,10\.0\.0\.0/24"):
        parse(told)


def test_ipv4_proxies_are_known_to_a_server_on_ipv6_too() -> None:
    assert forwarded_allow_ips("10.1.0.0/16,::1") == ["10.1.0.0/16", "::ffff:10.1.0.0/112", "::1/128"]
