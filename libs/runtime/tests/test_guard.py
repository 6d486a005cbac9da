"""What the guard lets through: each spelling of each place that is nobody's business."""

from ipaddress import ip_address

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxbus_runtime.errors import AddressRefused
from voxbus_runtime.guard import Guard

FORBIDDEN = {
    "loopback": ["127.0.0.1", "127.9.9.9", "::1"],
    "private": ["10.0.0.8", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd00::1", "fc00::1", "fec0::1"],
    "link-local": ["169.254.1.1", "fe80::1", "fe80::1%eth0"],
    "metadata": ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "multicast and broadcast": ["224.0.0.1", "239.1.1.1", "255.255.255.255", "ff02::1", "ff0e::1"],
    "reserved and shared": [
        "100.64.0.1",
        "192.0.0.1",
        "192.0.0.8",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.9",
        "240.0.0.1",
    ],
    "IPv4 within IPv6": ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:10.0.0.1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "64:ff9b:1::a00:1"],
    "tunnels": ["2002:7f00:1::1", "2002:a9fe:a9fe::", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "documentation and discard": ["2001:db8::1", "100::1", "3fff::1", "5f00::1"],
}
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "::ffff:8.8.8.8"]


def check(guard: Guard, url: str) -> None:
    """As the client does."""
    parsed = httpx.URL(url)
    guard.check_spelling(parsed.scheme, parsed.raw_host.decode())


@pytest.mark.parametrize("address", [each for group in FORBIDDEN.values() for each in group])
def test_no_guard_of_the_default_lets_an_address_through_that_is_not_public(address: str) -> None:
    assert not Guard().allows(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert Guard().allows(ip_address(address))


@given(st.integers(0, 2**32 - 1))
def test_a_mapped_address_is_judged_as_the_one_it_stands_for(number: int) -> None:
    guard = Guard.parse("10.1.0.0/16")
    plain = ip_address(number)
    assert guard.allows(ip_address(f"::ffff:{plain}")) == guard.allows(plain)


@given(st.integers(0, 2**32 - 1))
def test_through_an_allowed_nat64_nothing_is_reached_that_could_not_be_reached_without(number: int) -> None:
    guard = Guard.parse("64:ff9b::/96")
    plain = ip_address(number)
    assert guard.allows(ip_address((0x64FF9B << 96) | number)) == guard.allows(plain)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "ws://example.org/",
        "javascript:alert(1)",
        "//example.org/",
        "example.org",
        "http:///nothing",
        "http://[broken",
        "http://127.0.0.1:80/x",
        "http://user:word@127.0.0.1/",
        "https://[::1]/",
        "HTTP://[::FFFF:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_an_odd_scheme_and_a_forbidden_address_in_digits_are_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(AddressRefused):
        check(Guard(), url)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "LOCALHOST."])
async def test_other_spellings_of_this_machine_are_refused_when_they_resolve(host: str) -> None:
    try:
        found = await Guard.parse("127.0.0.0/8,::1").addresses(host, 80)
    except OSError:
        return  # this system does not know the spelling at all
    assert set(found) <= {"127.0.0.1", "::1"}
    with pytest.raises(AddressRefused, match="VOXBUS_GUARD_ALLOW"):
        await Guard().addresses(host, 80)


async def test_a_name_with_one_forbidden_address_among_public_ones_is_refused() -> None:
    async def both(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.1"]

    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        await Guard(resolve=both).addresses("shop.example", 443)


def test_allowed_networks_are_reached_and_no_others() -> None:
    guard = Guard.parse("127.0.0.0/8, ::1/128")
    for url in ("http://127.0.0.1:9/x", "http://[::ffff:127.0.0.1]/", "http://[::1]/"):
        check(guard, url)
    with pytest.raises(AddressRefused):
        check(guard, "http://10.0.0.1/")
    with pytest.raises(ValueError, match="VOXBUS_GUARD_ALLOW"):
        Guard.parse("no-network")
