# SPDX-License-Identifier: MIT
# EFI programs that stand for what firmware leaves behind; front/ starts the loader behind each.
EFI_TESTS := $(patsubst tests/efi/%.c,$(BUILD)/tests/%.efi,$(wildcard tests/efi/*.c))

$(BUILD)/tests/%.o: tests/efi/%.c $(BUILD)/flags/efi
	@mkdir -p $(@D)
	$(call say,CC,$< for EFI)
	$(Q)$(CC) $(EFI_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/tests/%.so: $(BUILD)/tests/%.o $(BUILD)/tests/front/front.o $(BUILD)/flags/efi-link
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -znocombreloc -shared -Bsymbolic -z noexecstack -T $(EFI_LIB)/elf_x86_64_efi.lds \
	    $(EFI_LIB)/crt0-efi-x86_64.o $< $(BUILD)/tests/front/front.o -L$(EFI_LIB) -lgnuefi -o $@

$(BUILD)/tests/%.efi: $(BUILD)/tests/%.so
	$(call say,EFI,$@)
	$(Q)$(OBJCOPY) $(addprefix -j ,$(EFI_SECTIONS)) --target=efi-app-x86_64 $< $@

.PRECIOUS: $(BUILD)/tests/%.so $(BUILD)/tests/%.o $(BUILD)/tests/front/%.o
.PHONY: efi-tests
efi-tests: $(EFI_TESTS)
