/* A picture is well formed: tags are balanced, attributes have values in quotes, no figure is none. */
#ifndef TEST_XML_CHECK_H
#define TEST_XML_CHECK_H

#include "base/slice.h"

/* Depth is at most 64. */
void assert_xml_well_formed(struct slice xml);

#endif
