/* Guests' serial lines on the console: one guest may be in front, what the others send is logged.
 */
#pragma once

#include "hypervisor/base/core.h"

struct guest;

/* Puts the guest's serial line in front; NULL: none. */
void guest_console_attach(struct guest *guest);
struct guest *guest_console_front(void);
/* What guests have sent: of the one in front as it is, of all others as guest.output lines. At most
 * 10 ms and a line. */
void guest_console_service(void);
/* A key for the guest in front; the one that leaves it goes back to the prompt. */
void guest_console_key(char key);
