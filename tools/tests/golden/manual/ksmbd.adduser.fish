complete -c ksmbd.adduser -s p -l password -d 'Use PWD as user password instead of prompting' -r
complete -c ksmbd.adduser -s P -l pwddb -d 'Use PWDDB as user database' -r -F
complete -c ksmbd.adduser -s C -l config -d 'Use CONF as configuration file' -r -F
complete -c ksmbd.adduser -s a -l add -d 'Add USER to user database'
complete -c ksmbd.adduser -s u -l update -d 'Update USER in user database'
complete -c ksmbd.adduser -s d -l delete -d 'Delete USER from user database'
complete -c ksmbd.adduser -s v -l verbose -d 'Be verbose'
complete -c ksmbd.adduser -s V -l version -d 'Output version information and exit'
complete -c ksmbd.adduser -s h -l help -d 'Print help'
