"""Components that break one promise each: what the conformance kit is tested on."""
