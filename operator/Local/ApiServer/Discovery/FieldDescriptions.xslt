<?xml version="1.0"?>
<!-- From a documentation file to lines of member, tab, summary: the classes of k8s.Models and their properties. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="text" encoding="utf-8" />
  <xsl:template match="/">
    <xsl:for-each select="doc/members/member[summary and (starts-with(@name, 'T:k8s.Models.') or starts-with(@name, 'P:k8s.Models.'))]">
      <xsl:value-of select="substring(@name, 14)" />
      <xsl:value-of select="'&#9;'" />
      <xsl:value-of select="normalize-space(summary)" />
      <xsl:value-of select="'&#10;'" />
    </xsl:for-each>
  </xsl:template>
</xsl:stylesheet>
