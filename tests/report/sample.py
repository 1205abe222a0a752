# SPDX-License-Identifier: MIT
"""A log for tests, of a made machine with one guest that behaves and one that does not."""

BOOT = """\
[0.001000] boot.start version=0.9.0 commit=abc build=00 log=1 abi=1 loader=efi
[0.002000] boot.phase name=memory tsc=1 waited=0
[0.010000] boot.phase name=pci tsc=2 waited=0
[0.020000] pci.function rid=00:01.0 id=1b36:000c class=060400 kind=root-port buses=01-01
[0.021000] pci.function rid=01:00.0 id=8086:10c9 class=020000 kind=endpoint sriov=yes
[0.022000] pci.function rid=00:1f.2 id=8086:2922 class=010601 kind=conventional
[0.030000] iommu.unit base=0xfed90000 version=1.0
[0.031000] iommu.enabled units=1 levels=4 qi=yes ir=yes eim=yes domains=1023 page=1G snoop=yes
[0.040000] cpu.backend name=svm
[0.050000] sriov.enabled pf=01:00.0 vfs=2 total=8
[0.051000] sriov.vf rid=01:10.0 bar0=0xc000020000 size=16K index=0 id=8086:10ca
[0.052000] sriov.vf rid=01:10.2 bar0=0xc000024000 size=16K index=1 id=8086:10ca
[0.060000] device.assigned guest=good rid=01:10.0 slot=00:01.0 vectors=3
[0.061000] guest.created name=good cpus=1 memory=32M base=0x4000000 devices=1 cores=1 node=0
[0.062000] device.assigned guest=bad rid=01:10.2 slot=00:01.0 vectors=3
[0.063000] guest.created name=bad cpus=1 memory=16M base=0x2000000 devices=1 cores=2 node=0
[0.070000] audit.ok ranges=7 leaves=5 contexts=65536 interrupts=0
[0.080000] guest.started name=good core=1
[0.090000] guest.started name=bad core=2
[0.100000] monitor.ready message="type help"
"""
MAP = """\
bulkhead> map
map.unit unit=0 base=0xfed90000 usable=yes
map.device rid=00:01.0 name=- id=1b36:000c class=060400 kind=bridge parent=- port=- unit=0 domain=- owner=hypervisor master=on
map.device rid=00:1f.2 name=- id=8086:2922 class=010601 kind=function parent=- port=- unit=0 domain=- owner=free master=off
map.device rid=01:00.0 name=net id=8086:10c9 class=020000 kind=pf parent=00:01.0 port=00:01.0 unit=0 domain=1 owner=hypervisor master=on
map.device rid=01:10.0 name=net.vf0 id=8086:10ca class=020000 kind=vf parent=01:00.0 port=00:01.0 unit=0 domain=2 owner=good master=on
map.device rid=01:10.2 name=net.vf1 id=8086:10ca class=020000 kind=vf parent=01:00.0 port=00:01.0 unit=0 domain=3 owner=bad master=on
map.domain domain=1 owner=hypervisor levels=4 address=0x100000 physical=0x9000000 size=0x1000 rights=rw
map.cpu guest=good address=0x0 physical=0x4000000 size=0x2000000 rights=rwx
map.domain domain=2 owner=good levels=4 address=0x0 physical=0x4000000 size=0x2000000 rights=rw
map.cpu guest=bad address=0x0 physical=0x2000000 size=0x1000000 rights=rwx
map.domain domain=3 owner=bad levels=4 address=0x0 physical=0x2000000 size=0x1000000 rights=rw
map.memory physical=0x0 size=0x2000000 owner=free
map.memory physical=0x2000000 size=0x1000000 owner=bad
map.memory physical=0x3000000 size=0x1000000 owner=free
map.memory physical=0x4000000 size=0x2000000 owner=good
map.memory physical=0x6000000 size=0x3000000 owner=free
map.memory physical=0x9000000 size=0x100000 owner=hypervisor
"""
FAULTS = """\
bulkhead>           [0.200000] dma.fault rid=01:10.2 guest=bad address=0x4000000 access=read reason=0x6 action=log message="DMA read blocked"
bulkhead> why 01:10.2 0x4000000
01:10.2 8086:10ca, a virtual function, owner bad
  domain 3, 4 levels from 0x21c92000
blocked: nothing is mapped at 0x4000000
bulkhead> <1>             [0.300000] dma.fault rid=01:10.2 guest=bad address=0x4000000 access=write reason=0x5 action=log message="DMA write blocked"
[0.310000] dma.fault rid=01:10.2 guest=bad address=0x9000010 access=write reason=0x5 action=log message="DMA write blocked"
[0.320000] guest.output name=good text="all is well"
"""
END = """\
[0.400000] guest.stopped name=bad status=0 reason=exit faults=3 exits=11 seconds=0
[0.410000] guest.stopped name=good status=0 reason=exit faults=0 exits=7 seconds=0
[0.420000] audit.ok ranges=7 leaves=5 contexts=65536 interrupts=0
[0.430000] run.verdict result=ok
bulkhead> exits
good vcpu 0: cpuid=2 msr-read=1 memory=4
bad vcpu 0: cpuid=2 memory=9
bulkhead> audit -v
audit.ok: every leaf has one owner
"""
LOG = (BOOT + MAP + FAULTS + END).encode()
