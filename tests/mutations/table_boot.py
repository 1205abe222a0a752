# SPDX-License-Identifier: MIT
"""Mutations of what runs before the hypervisor; see table.py."""

from . import scenarios_boot
from .kinds import Edit, Mutation, System, Unit, failed

SEAL = "boot/efi/seal.c"
LIST = "boot/efi/list.c"
CODE_PAGE = "boot/efi/code_page.c"

BOOT_MUTATIONS = (
    Mutation("digest-not-compared", "a file of a signed medium has the digest that was signed",
             (Edit(SEAL, "if (memcmp(digest, signed_digest, SHA256_SIZE) != 0)", "if (memcmp(digest, digest, SHA256_SIZE) != 0)"),),
             (Unit("test_seal", failed("test_each_changed_bit_is_seen")),
              System(scenarios_boot.changed_image, r"started from a medium with a changed file")), quick=True),
    Mutation("digest-compared-in-part", "all of the digest is compared",
             (Edit(SEAL, "if (memcmp(digest, signed_digest, SHA256_SIZE) != 0)", "if (memcmp(digest, signed_digest, 0) != 0)"),),
             (Unit("test_seal", failed("test_each_changed_bit_is_seen")),)),
    Mutation("unlisted-file-accepted", "a file that was not signed does not exist on a signed medium",
             (Edit(SEAL, "    return digest_of(seal, list, name, digest);", "    return digest_of(seal, list, name, digest) || list->count != 0;"),),
             (Unit("test_seal", failed("test_what_was_not_signed_does_not_exist")),)),
    Mutation("list-names-repeated", "no name is twice in a list, whatever its case",
             (Edit(LIST, "problem == NULL && repeated(", "problem != NULL && repeated("),),
             (Unit("test_seal", failed("test_list_refusals")),)),
    Mutation("violation-forgotten", "nothing is started from a medium one of whose files was changed",
             (Edit("boot/efi/main.c", "    EFI_STATUS status = verify_result();", "    EFI_STATUS status = EFI_SUCCESS;"),),
             (System(scenarios_boot.changed_image, r"started from a medium with a changed file"),)),
    Mutation("code-page-not-executable", "firmware is asked to let the page of the switch be executed",
             (Edit(CODE_PAGE, "status = protocol->clear(protocol, page, PAGE_SIZE, NO_EXECUTE);",
                   "status = protocol->clear(protocol, page, PAGE_SIZE, NO_EXECUTE & READ_ONLY);"),),
             (System(scenarios_boot.strict, r"does not run"),)),
    Mutation("code-page-writable", "and to let nobody write it",
             (Edit(CODE_PAGE, "protocol->set(protocol, page, PAGE_SIZE, READ_ONLY);", "EFI_SUCCESS;"),),
             (System(scenarios_boot.strict, r"can be written"),)),
)
