# SPDX-License-Identifier: MIT
# How the machine reaches the hypervisor: the EFI application, the disk image with GRUB, the BIOS ISO.

# --- multiboot2: part of bulkhead.elf ---
BOOT_PCI_C := $(sort $(wildcard boot/pci/*.c))
BOOT_C := boot/paging.c boot/ranges.c $(BOOT_PCI_C) $(sort $(wildcard boot/multiboot2/*.c))

# --- the EFI application (GNU-EFI): position independent, firmware's calling convention by attribute ---
# Where distributions have it.
EFI_INCLUDES := /usr/include/efi /usr/local/include/efi
EFI_LIBS     := /usr/lib /usr/lib64 /usr/lib/gnuefi /usr/lib64/gnuefi /usr/lib/gnuefi/x64 /usr/lib/gnuefi/x86_64 \
    /usr/lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu/gnuefi /usr/local/lib
place_of      = $(patsubst %/$(1),%,$(firstword $(wildcard $(addsuffix /$(1),$(2))) $(firstword $(2))/$(1)))
EFI_INCLUDE := $(or $(EFI_INCLUDE),$(call place_of,efi.h,$(EFI_INCLUDES)))
EFI_LIB     := $(or $(EFI_LIB),$(call place_of,crt0-efi-x86_64.o,$(EFI_LIBS)))
EFI_CFLAGS = -std=gnu17 -O2 -g -ffreestanding -fpic -fshort-wchar -mno-red-zone -mgeneral-regs-only \
    -fno-stack-protector -fno-asynchronous-unwind-tables -fno-strict-aliasing -fcf-protection=none \
    -fvisibility=hidden -DGNU_EFI_USE_MS_ABI $(WARNINGS) -I. -isystem $(EFI_INCLUDE) -isystem $(EFI_INCLUDE)/x86_64

# The preflight report, with the parsers and tables of the hypervisor that it reads the machine by.
PREFLIGHT_C := $(sort $(wildcard boot/preflight/*.c)) $(sort $(wildcard hypervisor/acpi/*.c)) \
    hypervisor/base/status.c hypervisor/pci/config_access.c hypervisor/pci/functions.c \
    hypervisor/setup/pci_bars.c hypervisor/setup/pci_bridge_window.c hypervisor/setup/pci_capabilities.c \
    hypervisor/setup/pci_known.c hypervisor/setup/vmx_controls.c drivers/igb/setup/igb_kinds.c
EFI_C := $(sort $(wildcard boot/efi/*.c)) boot/paging.c boot/ranges.c boot/kept_log.c $(BOOT_PCI_C) \
    $(sort $(wildcard hypervisor/config/*.c)) \
    hypervisor/base/log_ring.c hypervisor/base/string.c hypervisor/base/text.c hypervisor/base/format.c hypervisor/x86/mmio.c hypervisor/x86/clock.c \
    $(PREFLIGHT_C)
EFI_O := $(EFI_C:%.c=$(BUILD)/efi/%.o) $(BUILD)/boot/efi/jump.asm.o
EFI_SECTIONS := .text .sdata .data .rodata .digests .dynamic .dynsym .rel .rela .rel.* .rela.* .reloc

flags.efi = $(COMPILER) $(EFI_CFLAGS)
flags.efi-link = $(LD) $(EFI_LIB) $(EFI_O)
EFI_SCRIPT := boot/efi/application.lds
$(BUILD)/efi/%.o: %.c $(BUILD)/flags/efi
	@mkdir -p $(@D)
	$(call say,CC,$< for EFI)
	$(Q)$(CC) $(EFI_CFLAGS) -MMD -MP -c $< -o $@

# What preflight.start says of the version.
$(BUILD)/efi/boot/efi/preflight.o: EFI_CFLAGS += $(flags.version)
$(BUILD)/efi/boot/efi/preflight.o: $(BUILD)/flags/version

$(BUILD)/efi/bulkhead.so: $(EFI_O) $(EFI_SCRIPT) $(BUILD)/flags/efi-link
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -znocombreloc -shared -Bsymbolic -z noexecstack -T $(EFI_SCRIPT) \
	    $(EFI_LIB)/crt0-efi-x86_64.o $(EFI_O) -L$(EFI_LIB) -lgnuefi -o $@
	@if nm -u $@ | grep .; then echo "$@: undefined symbols" >&2; rm -f $@; exit 1; fi

$(BUILD)/bulkhead.efi: $(BUILD)/efi/bulkhead.so boot/application.py
	$(call say,EFI,$@)
	$(Q)$(OBJCOPY) $(addprefix -j ,$(EFI_SECTIONS)) --target=efi-app-x86_64 $< $@
	$(Q)boot/application.py nx $@

-include $(wildcard $(BUILD)/efi/*/*.d $(BUILD)/efi/*/*/*.d)

# --- media ---
SOURCE_DATE_EPOCH ?= 1767225600
export SOURCE_DATE_EPOCH
SCENARIOS := $(sort $(wildcard config/*.conf))

$(BUILD)/bulkhead.stripped.elf: $(BUILD)/bulkhead.elf
	$(Q)$(OBJCOPY) --strip-debug $< $@

# All bytes of a file go into the guest's memory at each start, and are cleared there again: its symbols stay here.
$(BUILD)/stripped/%.elf: $(BUILD)/guest/%.elf
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY) --strip-all $< $@

# GUEST_IMAGES comes from guest/build.mk, which is read later: expanded when the rule runs.
.SECONDEXPANSION:
MEDIA_GUESTS = $(GUEST_IMAGES:$(BUILD)/guest/%=$(BUILD)/stripped/%)
flags.media = $(SOURCE_DATE_EPOCH) $(SCENARIOS) $(MEDIA_GUESTS)
# What is required of a medium of the user's own comes by the environment as well, and is not for this one.
plain = DEFAULT= HOSTS= KEY= CERT=
$(BUILD)/bulkhead.img: boot/image.sh boot/grub/early.cfg boot/grub/disk.cfg $(BUILD)/bulkhead.efi \
    $(BUILD)/bulkhead.stripped.elf $(SCENARIOS) $$(MEDIA_GUESTS) $(BUILD)/flags/media
	$(call say,IMAGE,$@)
	$(Q)$(plain) boot/image.sh disk $@ $(BUILD)/bulkhead.stripped.elf $(BUILD)/bulkhead.efi $(SCENARIOS) $(MEDIA_GUESTS)

$(BUILD)/bulkhead.iso: boot/image.sh boot/grub/iso.cfg $(BUILD)/bulkhead.stripped.elf $(SCENARIOS) \
    $$(MEDIA_GUESTS) $(BUILD)/flags/media
	$(call say,IMAGE,$@)
	$(Q)boot/image.sh iso $@ $(BUILD)/bulkhead.stripped.elf $(SCENARIOS) $(MEDIA_GUESTS)

# FILES are more files for \bulkhead, DEFAULT is the configuration that starts without a question. With KEY and CERT the
# medium is for Secure Boot: the EFI application is signed, and takes no other files than these (boot/sign.sh).
FILES ?=
DEFAULT ?=
KEY ?=
CERT ?=
signed = $(if $(KEY)$(CERT),signed)
own    = $(strip $(KEY)$(CERT)$(FILES)$(DEFAULT))
OWN_IMAGE ?= $(BUILD)/bulkhead-$(or $(signed),own).img
HOSTS ?=
TO ?= $(BUILD)/netboot
medium = @KEY='$(KEY)' CERT='$(CERT)' DEFAULT='$(DEFAULT)' HOSTS='$(HOSTS)' boot/image.sh $(1) \
    $(BUILD)/bulkhead.stripped.elf $(BUILD)/bulkhead.efi $(SCENARIOS) $(MEDIA_GUESTS) $(FILES)

ifneq ($(filter usb,$(MAKECMDGOALS)),)
ifeq ($(DEVICE)$(own),)
$(error usb: name the stick with DEVICE=/dev/sdX (lsblk lists them), or what is to go into an image of your own (FILES= DEFAULT= KEY= CERT=))
endif
endif

ifneq ($(filter usb netboot,$(MAKECMDGOALS)),)
ifneq ($(if $(KEY),yes),$(if $(CERT),yes))
$(error $(if $(KEY),KEY without CERT,CERT without KEY): a key and its certificate belong together, KEY=key.pem CERT=cert.pem)
endif
endif

.PHONY: netboot
usb: all ## write a USB stick: DEVICE=/dev/sdX (all on it is lost); KEY= CERT= sign it for Secure Boot; FILES= DEFAULT=
	$(if $(own),$(call medium,$(or $(signed),disk) $(OWN_IMAGE)))
	@$(if $(own),echo "usb: $(OWN_IMAGE) is complete$(if $(DEVICE),,; DEVICE=/dev/sdX writes it to a stick)")
	@$(if $(DEVICE)$(if $(own),,none),boot/usb.sh "$(DEVICE)" $(if $(own),$(OWN_IMAGE),$(BUILD)/bulkhead.img) "$(FORCE)")

netboot: all ## make a folder for network boot: TO=folder; KEY= CERT= sign it for Secure Boot; FILES= DEFAULT= HOSTS=
	$(call medium,net '$(TO)')
